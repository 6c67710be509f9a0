using Embeddings.Core;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Server.Grpc.Streaming;
using Grpc.Core;

namespace Embeddings.Server.Grpc;

/// <summary>Embeds images and faces without storing the vectors.</summary>
internal sealed class EmbeddingServiceImpl(EmbeddingPipeline pipeline, StreamContext streams)
    : V1.EmbeddingService.EmbeddingServiceBase
{
    public override async Task<V1.EmbedImageResponse> EmbedImage(V1.EmbedImageRequest request, ServerCallContext context)
    {
        var embed = EmbeddingMapping.ToRequest(request.Image, request.Model, wait: false, path: "");
        var result = await pipeline.EmbedAsync(embed, context.CancellationToken);
        return new() { Embedding = EmbeddingMapping.ToEmbedding(result), Timings = EmbeddingMapping.ToTimings(result) };
    }

    public override async Task<V1.EmbedFaceResponse> EmbedFace(V1.EmbedFaceRequest request, ServerCallContext context)
    {
        var embed = EmbeddingMapping.ToRequest(request.Face, request.Model, wait: false, path: "face");
        var result = await pipeline.EmbedAsync(embed, context.CancellationToken);
        return new() { Embedding = EmbeddingMapping.ToEmbedding(result), Timings = EmbeddingMapping.ToTimings(result) };
    }

    public override Task StreamEmbed(
        IAsyncStreamReader<V1.StreamEmbedRequest> requestStream,
        IServerStreamWriter<V1.StreamEmbedResponse> responseStream,
        ServerCallContext context) =>
        streams.RunAsync(
            requestStream,
            responseStream,
            context,
            request => request.ItemId,
            async (request, cancellationToken) =>
            {
                var pending = await pipeline.EnqueueAsync(ToRequest(request), cancellationToken);
                return new(ResponseAsync(request.ItemId, request.VectorsAsBytes, pending));
            },
            (itemId, error) => new() { ItemId = itemId, Error = error });

    private static EmbedRequest ToRequest(V1.StreamEmbedRequest request)
    {
        Require.Bounded(request.ItemId, "item_id", Require.MaxIdBytes);
        return request.ItemCase switch
        {
            V1.StreamEmbedRequest.ItemOneofCase.Image =>
                EmbeddingMapping.ToRequest(request.Image, request.Model, wait: true, path: ""),
            V1.StreamEmbedRequest.ItemOneofCase.Face =>
                EmbeddingMapping.ToRequest(request.Face, request.Model, wait: true, path: "face"),
            _ => throw Require.Missing("item"),
        };
    }

    private static async Task<V1.StreamEmbedResponse> ResponseAsync(string itemId, bool vectorsAsBytes, PendingEmbedding pending)
    {
        var result = await pending;
        return new()
        {
            ItemId = itemId,
            Embedding = EmbeddingMapping.ToEmbedding(result, vectorsAsBytes),
            Timings = EmbeddingMapping.ToTimings(result),
        };
    }
}
