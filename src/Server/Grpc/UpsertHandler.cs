using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Server.Grpc.Streaming;
using Embeddings.Storage;
using Grpc.Core;

namespace Embeddings.Server.Grpc;

/// <summary>Vectors that callers bring themselves: checked here, so that no store ever sees a bad one.</summary>
internal sealed class UpsertHandler(IVectorStore store, ModelCatalog models, StreamContext streams, TimeProvider time)
{
    private const int MaxPoints = 10_000;

    public async Task<V1.UpsertVectorsResponse> UpsertAsync(V1.UpsertVectorsRequest request, CancellationToken cancellationToken)
    {
        var collection = Require.Collection(request.Collection);
        if (request.Points.Count is 0 or > MaxPoints)
        {
            throw Fault.Invalid(
                request.Points.Count == 0 ? Reasons.FieldRequired : Reasons.FieldTooLong, "points", $"points must have 1 to {MaxPoints} points; it has {request.Points.Count}");
        }
        var points = new StoredPoint[request.Points.Count];
        var dimension = request.Points[0].Vector.Count;
        for (var i = 0; i < points.Length; i++)
        {
            points[i] = FieldPath.Within($"points[{i}]", () => Check(VectorMapping.ToStored(request.Points[i]), dimension, "the other points have"));
        }
        var began = time.GetTimestamp();
        await Within("points[0]", () => EnsureAsync(collection, dimension, request.Model, cancellationToken).AsTask());
        await store.UpsertAsync(collection, points, cancellationToken);
        return new() { UpsertedCount = points.Length, Timings = TimingsMapping.ToTimings(time.GetElapsedTime(began)) };
    }

    public Task StreamAsync(
        IAsyncStreamReader<V1.StreamUpsertVectorsRequest> requests, IServerStreamWriter<V1.StreamUpsertVectorsResponse> responses, ServerCallContext context) =>
        streams.RunAsync(requests, responses, context, async (request, cancellationToken) =>
        {
            var began = time.GetTimestamp();
            // Handed to the store one after the other, so that the later of two points with one id wins.
            var stored = await streams.StartAsync(request, async request => StoredAsync(request, await SubmitAsync(request, cancellationToken), began));
            return streams.AnswerAsync(context, () => stored, error => new() { ItemId = request.ItemId, Error = error });
        });

    private async Task<Task> SubmitAsync(V1.StreamUpsertVectorsRequest request, CancellationToken cancellationToken)
    {
        Require.Bounded(request.ItemId, "item_id", Require.MaxIdBytes);
        var collection = Require.Collection(request.Collection);
        var point = request.Point is null ? throw Require.Missing("point") : FieldPath.Within("point", () => VectorMapping.ToStored(request.Point));
        await Within("point", () => EnsureAsync(collection, point.Vector.Length, request.Model, cancellationToken).AsTask());
        return store.UpsertAsync(collection, [point], cancellationToken);
    }

    private async Task<V1.StreamUpsertVectorsResponse> StoredAsync(V1.StreamUpsertVectorsRequest request, Task stored, long began)
    {
        await stored;
        return new()
        {
            ItemId = request.ItemId,
            Ack = new() { PointId = request.Point.PointId, Collection = request.Collection },
            Timings = TimingsMapping.ToTimings(time.GetElapsedTime(began)),
        };
    }

    /// <summary>
    /// The collection, made if it is missing. A vector of another dimension is the caller's bad input, unlike a model that does not fit the collection; and a
    /// kind's own collection is not made with a dimension that its model could never fill.
    /// </summary>
    private async ValueTask EnsureAsync(string collection, int dimension, string model, CancellationToken cancellationToken)
    {
        if (model.Length > 0)
        {
            var named = models.Find(model);
            Check(dimension, named.Manifest.Dimension, $"vectors of model '{model}' have");
            await store.EnsureCollectionAsync(Collections.SpecFor(collection, named.Info), cancellationToken);
            return;
        }
        var existing = await store.FindCollectionAsync(collection, cancellationToken);
        if (existing is not null)
        {
            Check(dimension, existing.Dimension, $"vectors in collection '{collection}' have");
            return;
        }
        if (Collections.KindOf(collection) is { } kind && models.DefaultOf(kind)?.Manifest is { } manifest)
        {
            Check(dimension, manifest.Dimension, $"vectors of model '{manifest.Name}', which '{collection}' is for, have");
        }
        await store.EnsureCollectionAsync(new(collection, dimension, null), cancellationToken);
    }

    private static StoredPoint Check(StoredPoint point, int dimension, string whose)
    {
        Check(point.Vector.Length, dimension, whose);
        return point;
    }

    private static void Check(int actual, int expected, string whose)
    {
        if (actual != expected)
        {
            throw Fault.Invalid(Reasons.DimensionMismatch, "vector", $"{whose} {expected} numbers, this one has {actual}");
        }
    }

    private static async Task Within(string path, Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Fault fault) when (fault.Field != "model")
        {
            throw fault.Within(path);
        }
    }
}
