using Embeddings.Core;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Server.Grpc.Streaming;
using Embeddings.Storage;
using Grpc.Core;

namespace Embeddings.Server.Grpc;

/// <summary>Embeds images and faces and stores the vectors; an ack means that the point is durable.</summary>
internal sealed class IngestServiceImpl(
    EmbeddingPipeline pipeline, IVectorStore store, StreamContext streams, EmbeddingMetrics metrics, TimeProvider time)
    : V1.IngestService.IngestServiceBase
{
    public override async Task<V1.IngestImageResponse> IngestImage(V1.IngestImageRequest request, ServerCallContext context)
    {
        var (item, embed) = IngestItem.Read(request);
        var pending = new PendingEmbedding(pipeline.EmbedAsync(embed, context.CancellationToken));
        var (ack, timings) = await IngestAsync(item, pending, new StreamOrder(), context.CancellationToken);
        return new() { Ack = ack, Timings = timings };
    }

    public override async Task<V1.IngestFaceResponse> IngestFace(V1.IngestFaceRequest request, ServerCallContext context)
    {
        var (item, embed) = IngestItem.Read(request);
        var pending = new PendingEmbedding(pipeline.EmbedAsync(embed, context.CancellationToken));
        var (ack, timings) = await IngestAsync(item, pending, new StreamOrder(), context.CancellationToken);
        return new() { Ack = ack, Timings = timings };
    }

    public override Task StreamIngest(
        IAsyncStreamReader<V1.StreamIngestRequest> requestStream,
        IServerStreamWriter<V1.StreamIngestResponse> responseStream,
        ServerCallContext context)
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
            // Only id and payload are captured, not the request: pixels must not stay in memory longer than their time
            // in the queue.
            return AnswerAsync(request.ItemId, item, pending, order, context, cancellationToken);
        });
    }

    private Task<V1.StreamIngestResponse> AnswerAsync(
        string itemId,
        IngestItem? item,
        PendingEmbedding pending,
        StreamOrder order,
        ServerCallContext context,
        CancellationToken cancellationToken) =>
        streams.AnswerAsync(
            context,
            async () =>
            {
                var (ack, timings) = await IngestAsync(item, pending, order, cancellationToken);
                return new V1.StreamIngestResponse { ItemId = itemId, Ack = ack, Timings = timings };
            },
            error => new() { ItemId = itemId, Error = error });

    /// <param name="item">Null only if <paramref name="pending"/> has failed already.</param>
    /// <param name="pending">The embedding of the item.</param>
    /// <param name="order">The order of the stream: if two items have the same id, the later one is stored last,
    /// regardless of their decoding times.</param>
    /// <param name="cancellationToken">Drops the item if it has not been passed to the store.</param>
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
            Embedding = item.ReturnEmbedding ? EmbeddingMapping.ToEmbedding(result) : null,
        };
        return (ack, EmbeddingMapping.ToTimings(result, took));
    }

    /// <summary>Destination and payload of an item.</summary>
    private sealed record IngestItem(string Collection, string PointId, PointPayload Payload, bool ReturnEmbedding)
    {
        public static (IngestItem Item, EmbedRequest Embed) Read(V1.IngestImageRequest request) =>
            Image(request.Item, "item", request.Model, request.Collection, request.ReturnEmbedding, wait: false);

        public static (IngestItem Item, EmbedRequest Embed) Read(V1.IngestFaceRequest request) =>
            Face(request.Item, "item", request.Model, request.Collection, request.ReturnEmbedding, wait: false);

        public static (IngestItem Item, EmbedRequest Embed) Read(V1.StreamIngestRequest request)
        {
            Require.Bounded(request.ItemId, "item_id", Require.MaxIdBytes);
            return request.ItemCase switch
            {
                V1.StreamIngestRequest.ItemOneofCase.Image =>
                    Image(request.Image, "image", request.Model, request.Collection, request.ReturnEmbedding, wait: true),
                V1.StreamIngestRequest.ItemOneofCase.Face =>
                    Face(request.Face, "face", request.Model, request.Collection, request.ReturnEmbedding, wait: true),
                _ => throw Require.Missing("item"),
            };
        }

        private static (IngestItem Item, EmbedRequest Embed) Image(
            V1.ImageItem? image, string path, string model, string collection, bool returnEmbedding, bool wait)
        {
            var present = Require.Present(image, path);
            var payload = Require.Within(path, () => PointMapping.ToStored(present));
            var name = Require.Collection(collection, Collections.Of(ModelKind.Image));
            var item = new IngestItem(name, payload.JobId, payload, returnEmbedding);
            return (item, EmbeddingMapping.ToRequest(present.Image, model, wait, path));
        }

        private static (IngestItem Item, EmbedRequest Embed) Face(
            V1.FaceItem? face, string path, string model, string collection, bool returnEmbedding, bool wait)
        {
            var present = Require.Present(face, path);
            var payload = Require.Within(path, () => PointMapping.ToStored(present));
            var name = Require.Collection(collection, Collections.Of(ModelKind.Face));
            var id = FormattableString.Invariant($"{payload.JobId}-{payload.FaceIndex}");
            var item = new IngestItem(name, id, payload, returnEmbedding);
            return (item, EmbeddingMapping.ToRequest(present.Face, model, wait, $"{path}.face"));
        }
    }
}
