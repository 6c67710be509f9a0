using Embeddings.V1;
using Grpc.Health.V1;
using Grpc.Net.Client;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>The generated clients of all services, on one connection.</summary>
public sealed class Api : IDisposable
{
    public Api(string address)
    {
        // No limit in the client: the limits of the server are tested.
        Channel = GrpcChannel.ForAddress(address, new() { MaxReceiveMessageSize = null, MaxSendMessageSize = null });
        Embedding = new(Channel);
        Faces = new(Channel);
        Ingest = new(Channel);
        Persons = new(Channel);
        Vectors = new(Channel);
        Models = new(Channel);
        Health = new(Channel);
    }

    public GrpcChannel Channel { get; }

    public EmbeddingService.EmbeddingServiceClient Embedding { get; }

    public FaceService.FaceServiceClient Faces { get; }

    public IngestService.IngestServiceClient Ingest { get; }

    public PersonService.PersonServiceClient Persons { get; }

    public VectorStoreService.VectorStoreServiceClient Vectors { get; }

    public ModelService.ModelServiceClient Models { get; }

    public Health.HealthClient Health { get; }

    public void Dispose() => Channel.Dispose();
}
