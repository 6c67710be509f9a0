using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Benchmarks.References;

/// <summary>The least a service can do with the same messages: reads each request, answers with a vector that lies ready.</summary>
internal sealed class EchoService : EmbeddingService.EmbeddingServiceBase
{
    private static readonly Embedding Vector = Ready();

    private static readonly Timings Timings = new() { QueueUs = 1000, PreprocessUs = 10, InferenceUs = 1000, BatchSize = 16 };

    public override async Task StreamEmbed(
        IAsyncStreamReader<StreamEmbedRequest> requestStream, IServerStreamWriter<StreamEmbedResponse> responseStream, ServerCallContext context)
    {
        while (await requestStream.MoveNext(context.CancellationToken))
        {
            await responseStream.WriteAsync(new() { ItemId = requestStream.Current.ItemId, Embedding = Vector, Timings = Timings });
        }
    }

    private static Embedding Ready()
    {
        var vector = new Embedding { Model = "bench-free", UnitLength = true };
        vector.Values.AddRange(Enumerable.Range(0, 512).Select(static i => i / 512f));
        return vector;
    }
}
