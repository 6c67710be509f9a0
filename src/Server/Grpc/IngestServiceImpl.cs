using Embeddings.Core;
using Embeddings.Core.Faces;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Server.Grpc.Photos;
using Embeddings.Server.Grpc.Streaming;
using Embeddings.Server.Privacy;
using Embeddings.Storage;
using Grpc.Core;

namespace Embeddings.Server.Grpc;

/// <summary>Embeds images and faces and stores the vectors; an ack means that the point is durable.</summary>
internal sealed class IngestServiceImpl(
    EmbeddingPipeline pipeline,
    PhotoIngest photos,
    IVectorStore store,
    Suppression suppression,
    StreamContext streams,
    EmbeddingMetrics metrics,
    TimeProvider time)
    : V1.IngestService.IngestServiceBase
{
    public override async Task<V1.IngestImageResponse> IngestImage(V1.IngestImageRequest request, ServerCallContext context)
    {
        var (ack, timings) = await IngestAsync(Free(IngestItem.Read(request)), context.CancellationToken);
        return new() { Ack = ack, Timings = timings };
    }

    public override async Task<V1.IngestFaceResponse> IngestFace(V1.IngestFaceRequest request, ServerCallContext context)
    {
        var (ack, timings) = await IngestAsync(Free(IngestItem.Read(request)), context.CancellationToken);
        return new() { Ack = ack, Timings = timings };
    }

    public override async Task<V1.IngestPhotoResponse> IngestPhoto(V1.IngestPhotoRequest request, ServerCallContext context)
    {
        var item = Free(PhotoItem.Read(
            request.Item, "item", request.Model, request.Collection, Returned.Of(request.ReturnEmbedding), wait: false));
        var (ack, timings) = await photos.IngestAsync(item, context.CancellationToken);
        return new() { Ack = ack, Timings = timings };
    }

    public override Task StreamIngest(
        IAsyncStreamReader<V1.StreamIngestRequest> requestStream,
        IServerStreamWriter<V1.StreamIngestResponse> responseStream,
        ServerCallContext context)
    {
        var order = new StreamOrder();
        return streams.RunAsync(
            requestStream,
            responseStream,
            context,
            request => request.ItemId,
            async (request, cancellationToken) =>
            {
                if (request.ItemCase == V1.StreamIngestRequest.ItemOneofCase.Photo)
                {
                    return new(await StartPhotoAsync(request, order, cancellationToken));
                }
                var (item, embed) = Free(IngestItem.Read(request));
                var pending = await pipeline.EnqueueAsync(embed, cancellationToken);
                return new(ResponseAsync(request.ItemId, item, pending, order, cancellationToken));
            },
            (itemId, error) => new() { ItemId = itemId, Error = error });
    }

    // Before any work on a suppressed item; the store checks again.
    private (IngestItem Item, EmbedRequest Embed) Free((IngestItem Item, EmbedRequest Embed) request)
    {
        suppression.RequireFree(request.Item.Collection, request.Item.PointId, request.Item.Payload.JobId);
        return request;
    }

    private (PhotoItem Item, PhotoRequest Photo) Free((PhotoItem Item, PhotoRequest Photo) request)
    {
        suppression.RequireFree(request.Item.Collection, "", request.Item.Payload.JobId);
        if (request.Item.Image is not null)
        {
            suppression.RequireFree(request.Item.ImageCollection, request.Item.Payload.JobId, request.Item.Payload.JobId);
        }
        return request;
    }

    private async ValueTask<Task<V1.StreamIngestResponse>> StartPhotoAsync(
        V1.StreamIngestRequest request, StreamOrder order, CancellationToken cancellationToken)
    {
        Require.Bounded(request.ItemId, "item_id", Require.MaxIdBytes);
        var item = Free(PhotoItem.Read(
            request.Photo, "photo", request.Model, request.Collection, Returned.Of(request), wait: true));
        var itemId = request.ItemId;
        return ResponseAsync(await photos.EnqueueAsync(item, order, cancellationToken));

        async Task<V1.StreamIngestResponse> ResponseAsync(Task<(V1.PhotoAck Ack, V1.Timings Timings)> pending)
        {
            var (ack, timings) = await pending;
            return new() { ItemId = itemId, PhotoAck = ack, Timings = timings };
        }
    }

    private async Task<V1.StreamIngestResponse> ResponseAsync(
        string itemId, IngestItem item, PendingEmbedding pending, StreamOrder order, CancellationToken cancellationToken)
    {
        var (ack, timings) = await StoreAsync(item, pending, order, cancellationToken);
        return new() { ItemId = itemId, Ack = ack, Timings = timings };
    }

    private Task<(V1.IngestAck Ack, V1.Timings Timings)> IngestAsync(
        (IngestItem Item, EmbedRequest Embed) request, CancellationToken cancellationToken)
    {
        var pending = new PendingEmbedding(pipeline.EmbedAsync(request.Embed, cancellationToken));
        return StoreAsync(request.Item, pending, new StreamOrder(), cancellationToken);
    }

    /// <param name="item">Destination and payload of the item.</param>
    /// <param name="pending">The embedding of the item.</param>
    /// <param name="order">The order of the stream: if two items have the same id, the later one is stored last,
    /// regardless of their decoding times.</param>
    /// <param name="cancellationToken">Drops the item if it has not been passed to the store.</param>
    private async Task<(V1.IngestAck Ack, V1.Timings Timings)> StoreAsync(
        IngestItem item, PendingEmbedding pending, StreamOrder order, CancellationToken cancellationToken)
    {
        Task stored;
        EmbedResult result;
        long began;
        using (var turn = order.Enter())
        {
            result = await pending;
            await turn.Previous;
            began = time.GetTimestamp();
            await store.EnsureCollectionAsync(Collections.SpecFor(item.Collection, result.Model), cancellationToken);
            stored = store.UpsertAsync(item.Collection, [new(item.PointId, result.Vector, item.Payload)], cancellationToken);
        }
        await stored;
        var took = time.GetElapsedTime(began);
        metrics.StageTook(EmbeddingMetrics.StoreStage, took);
        var ack = new V1.IngestAck
        {
            PointId = item.PointId,
            Collection = item.Collection,
            Embedding = item.Returned.Embedding(result),
        };
        return (ack, EmbeddingMapping.ToTimings(result, took));
    }

    /// <summary>Destination and payload of an item.</summary>
    private sealed record IngestItem(string Collection, string PointId, PointPayload Payload, Returned Returned)
    {
        public static (IngestItem Item, EmbedRequest Embed) Read(V1.IngestImageRequest request) =>
            Image(request.Item, "item", request.Model, request.Collection, Returned.Of(request.ReturnEmbedding), wait: false);

        public static (IngestItem Item, EmbedRequest Embed) Read(V1.IngestFaceRequest request) =>
            Face(request.Item, "item", request.Model, request.Collection, Returned.Of(request.ReturnEmbedding), wait: false);

        public static (IngestItem Item, EmbedRequest Embed) Read(V1.StreamIngestRequest request)
        {
            Require.Bounded(request.ItemId, "item_id", Require.MaxIdBytes);
            return request.ItemCase switch
            {
                V1.StreamIngestRequest.ItemOneofCase.Image =>
                    Image(request.Image, "image", request.Model, request.Collection, Returned.Of(request), wait: true),
                V1.StreamIngestRequest.ItemOneofCase.Face =>
                    Face(request.Face, "face", request.Model, request.Collection, Returned.Of(request), wait: true),
                _ => throw Require.Missing("item"),
            };
        }

        private static (IngestItem Item, EmbedRequest Embed) Image(
            V1.ImageItem? image, string path, string model, string collection, Returned returned, bool wait)
        {
            var present = Require.Present(image, path);
            var payload = Require.Within(path, () => PointMapping.ToStored(present));
            var name = Require.Collection(collection);
            var item = new IngestItem(name, payload.JobId, payload, returned);
            return (item, EmbeddingMapping.ToRequest(present.Image, model, wait, path));
        }

        private static (IngestItem Item, EmbedRequest Embed) Face(
            V1.FaceItem? face, string path, string model, string collection, Returned returned, bool wait)
        {
            var present = Require.Present(face, path);
            var payload = Require.Within(path, () => PointMapping.ToStored(present));
            var name = Require.Collection(collection);
            var id = FormattableString.Invariant($"{payload.JobId}-{payload.FaceIndex}");
            var item = new IngestItem(name, id, payload, returned);
            return (item, EmbeddingMapping.ToRequest(present.Face, model, wait, $"{path}.face"));
        }
    }
}
