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
        streams.RunAsync(requestStream, responseStream, context, async (request, cancellationToken) =>
        {
            var pending = await StreamContext.EnqueueAsync(
                request, request => pipeline.EnqueueAsync(ToRequest(request), cancellationToken));
            // Only the id is captured, not the request: pixels must not stay in memory longer than their time in the
            // queue.
            return AnswerAsync(request.ItemId, pending, context);
        });

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

    private Task<V1.StreamEmbedResponse> AnswerAsync(string itemId, PendingEmbedding pending, ServerCallContext context) =>
        streams.AnswerAsync(
            context,
            async () =>
            {
                var result = await pending;
                return new V1.StreamEmbedResponse
                {
                    ItemId = itemId,
                    Embedding = EmbeddingMapping.ToEmbedding(result),
                    Timings = EmbeddingMapping.ToTimings(result),
                };
            },
            error => new() { ItemId = itemId, Error = error });
}
