using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Client.Tests.Doubles;

internal sealed class IngestDouble(Behaviour behaviour) : IngestService.IngestServiceBase
{
    public override Task<IngestImageResponse> IngestImage(IngestImageRequest request, ServerCallContext context)
    {
        behaviour.Calls.Enqueue("IngestImage");
        return Task.FromResult(new IngestImageResponse { Ack = new IngestAck { PointId = request.Item?.JobId ?? "", Collection = request.Collection } });
    }

    public override Task<IngestFaceResponse> IngestFace(IngestFaceRequest request, ServerCallContext context)
    {
        behaviour.Calls.Enqueue("IngestFace");
        return Task.FromResult(new IngestFaceResponse { Ack = new IngestAck { PointId = $"{request.Item?.JobId}-{request.Item?.FaceIndex}" } });
    }

    public override async Task StreamIngest(
        IAsyncStreamReader<StreamIngestRequest> requestStream, IServerStreamWriter<StreamIngestResponse> responseStream, ServerCallContext context)
    {
        await foreach (var request in requestStream.ReadAllAsync(context.CancellationToken))
        {
            await responseStream.WriteAsync(new StreamIngestResponse { ItemId = request.ItemId, Ack = new IngestAck { PointId = request.Image.JobId } });
        }
    }
}
