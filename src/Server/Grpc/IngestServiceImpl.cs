using Embeddings.Core;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Server.Grpc.Streaming;
using Embeddings.Storage;
using Grpc.Core;

namespace Embeddings.Server.Grpc;

/// <summary>Embeds and stores in one step; an ack means durable.</summary>
internal sealed class IngestServiceImpl(EmbeddingPipeline pipeline, IVectorStore store, StreamContext streams, EmbeddingMetrics metrics, TimeProvider time)
    : V1.IngestService.IngestServiceBase
{
    public override async Task<V1.IngestImageResponse> IngestImage(V1.IngestImageRequest request, ServerCallContext context)
    {
        var (item, embed) = IngestItem.Read(request);
        var (ack, timings) = await IngestAsync(item, new(pipeline.EmbedAsync(embed, context.CancellationToken)), new StreamOrder(), context.CancellationToken);
        return new() { Ack = ack, Timings = timings };
    }

    public override async Task<V1.IngestFaceResponse> IngestFace(V1.IngestFaceRequest request, ServerCallContext context)
    {
        var (item, embed) = IngestItem.Read(request);
        var (ack, timings) = await IngestAsync(item, new(pipeline.EmbedAsync(embed, context.CancellationToken)), new StreamOrder(), context.CancellationToken);
        return new() { Ack = ack, Timings = timings };
    }

    public override Task StreamIngest(
        IAsyncStreamReader<V1.StreamIngestRequest> requestStream, IServerStreamWriter<V1.StreamIngestResponse> responseStream, ServerCallContext context)
    {
        var order = new StreamOrder();
        return streams.RunAsync(requestStream, responseStream, context, async (request, cancellationToken) =>
        {
            IngestItem? item = null;
            var pending = await StreamContext.EnqueueAsync(request, request =>
            {
                (item, var embed) = IngestItem.Read(request);
                return pipeline.EnqueueAsync(embed, cancellationToken);
            });
            // Only the name and the payload are kept, not the request: pixels must not outlive their turn in the queue.
            return AnswerAsync(request.ItemId, item, pending, order, context, cancellationToken);
        });
    }

    private Task<V1.StreamIngestResponse> AnswerAsync(
        string itemId, IngestItem? item, PendingEmbedding pending, StreamOrder order, ServerCallContext context, CancellationToken cancellationToken) =>
        streams.AnswerAsync(
            context,
            async () =>
            {
                var (ack, timings) = await IngestAsync(item, pending, order, cancellationToken);
                return new V1.StreamIngestResponse { ItemId = itemId, Ack = ack, Timings = timings };
            },
            error => new() { ItemId = itemId, Error = error });

    /// <param name="item">Null only where <paramref name="pending"/> has failed already.</param>
    /// <param name="pending">The item's embedding.</param>
    /// <param name="order">The stream's order: of two items with one id, the later one is to be stored last, however long each took to decode.</param>
    /// <param name="cancellationToken">Drops what has not been handed to the store.</param>
    private async Task<(V1.IngestAck Ack, V1.Timings Timings)> IngestAsync(
        IngestItem? item, PendingEmbedding pending, StreamOrder order, CancellationToken cancellationToken)
    {
        Task stored;
        EmbedResult result;
        long began;
        using (var turn = order.Enter())
        {
            result = await pending;
            await turn.Previous;
            began = time.GetTimestamp();
            await store.EnsureCollectionAsync(Collections.SpecFor(item!.Collection, result.Model), cancellationToken);
            stored = store.UpsertAsync(item.Collection, [new(item.PointId, result.Vector, item.Payload)], cancellationToken);
        }
        await stored;
        var took = time.GetElapsedTime(began);
        metrics.StageTook(EmbeddingMetrics.StoreStage, took);
        var ack = new V1.IngestAck
        {
            PointId = item.PointId,
            Collection = item.Collection,
            Embedding = item.ReturnEmbedding ? TimingsMapping.ToEmbedding(result) : null,
        };
        return (ack, TimingsMapping.ToTimings(result, took));
    }
}
