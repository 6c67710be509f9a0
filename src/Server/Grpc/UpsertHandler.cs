using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Server.Grpc.Streaming;
using Embeddings.Server.Hosting;
using Embeddings.Storage;
using Grpc.Core;

namespace Embeddings.Server.Grpc;

/// <summary>Stores vectors that clients computed; invalid vectors are rejected here and never reach a store.</summary>
internal sealed class UpsertHandler(
    IVectorStore store,
    ModelCatalog models,
    DefaultCollections defaults,
    StreamContext streams,
    ServerOptions options,
    TimeProvider time)
{
    public const int MaxPoints = 10_000;

    // More gain nothing.
    private const int MaxGroup = 64;

    // Points that wait for others of their message are pending responses: less than all that may be pending, so that the stream
    // is always read on.
    private readonly int _maxGroup = Math.Clamp(options.MaxPendingPerStream / 2, 1, MaxGroup);

    public async Task<V1.UpsertVectorsResponse> UpsertAsync(V1.UpsertVectorsRequest request, CancellationToken cancellationToken)
    {
        var collection = Require.Collection(request.Collection);
        Require.NotEmpty(request.Points.Count, "points", MaxPoints);
        var points = new StoredPoint[request.Points.Count];
        var dimension = PointMapping.DimensionOf(request.Points[0]);
        for (var i = 0; i < points.Length; i++)
        {
            points[i] = Require.Within($"points[{i}]", () =>
            {
                var point = PointMapping.ToStored(request.Points[i]);
                Require.Dimension(point.Vector.Length, dimension, "vector", "points[0]");
                return point;
            });
        }
        var began = time.GetTimestamp();
        await Within("points[0]", EnsureAsync(collection, dimension, request.Model, cancellationToken));
        await store.UpsertAsync(collection, points, cancellationToken);
        return new() { UpsertedCount = points.Length, Timings = EmbeddingMapping.ToTimings(time.GetElapsedTime(began)) };
    }

    public Task StreamAsync(
        IAsyncStreamReader<V1.StreamUpsertVectorsRequest> requests,
        IServerStreamWriter<V1.StreamUpsertVectorsResponse> responses,
        ServerCallContext context)
    {
        // Points of the message that is being read.
        UpsertGroup? group = null;
        UpsertGroup? previous = null;
        var order = new Lock();
        var dropped = CancellationToken.None;
        return streams.RunAsync(
            requests,
            responses,
            context,
            request => request.ItemId,
            StartAsync,
            (itemId, error) => new() { ItemId = itemId, Error = error },
            Write);

        async ValueTask<PendingResponse<V1.StreamUpsertVectorsResponse>> StartAsync(
            V1.StreamUpsertVectorsRequest request, CancellationToken cancellationToken)
        {
            dropped = cancellationToken;
            var began = time.GetTimestamp();
            Require.Bounded(request.ItemId, "item_id", Require.MaxIdBytes);
            var collection = Require.Collection(request.Collection);
            var present = Require.Present(request.Point, "point");
            var point = Require.Within("point", () => PointMapping.ToStored(present));
            if (group is null || !group.Fits(collection, point.Vector.Length, request.Model))
            {
                // Points reach the store in the order of the stream, so that the later of two with the same id wins.
                Write();
                await Within("point", EnsureAsync(collection, point.Vector.Length, request.Model, cancellationToken));
                group = new(store, collection, point.Vector.Length, request.Model, order);
            }
            var stored = group.AddAsync(point);
            if (group.Count == _maxGroup)
            {
                Write();
            }
            return new(ResponseAsync(request.ItemId, new() { PointId = point.Id, Collection = collection }, stored, began));
        }

        void Write()
        {
            _ = group?.WriteAsync(previous, dropped);
            (previous, group) = (group ?? previous, null);
        }
    }

    // Without the request: its vector would survive collections until the point is stored.
    private async Task<V1.StreamUpsertVectorsResponse> ResponseAsync(string itemId, V1.UpsertAck ack, Task stored, long began)
    {
        await stored;
        return new()
        {
            ItemId = itemId,
            Ack = ack,
            Timings = EmbeddingMapping.ToTimings(time.GetElapsedTime(began)),
        };
    }

    /// <summary>
    /// Creates the collection if it does not exist. A wrong dimension is invalid input, unlike a model that does not
    /// fit the collection; and a default collection is not created with a dimension that the model of its kind does not
    /// have.
    /// </summary>
    private async Task EnsureAsync(string collection, int dimension, string model, CancellationToken cancellationToken)
    {
        if (model.Length > 0)
        {
            var named = models.FindEmbedding(model);
            Require.Dimension(dimension, named.Manifest.Dimension, "vector", $"model '{model}'");
            await store.EnsureCollectionAsync(Collections.SpecFor(collection, named.Info), cancellationToken);
            return;
        }
        var existing = await store.FindCollectionAsync(collection, cancellationToken);
        if (existing is not null)
        {
            Require.Dimension(dimension, existing.Dimension, "vector", $"collection '{collection}'");
            return;
        }
        if (defaults.KindOf(collection) is { } kind && models.DefaultOf(kind)?.Manifest is { } manifest)
        {
            Require.Dimension(
                dimension, manifest.Dimension, "vector", $"model '{manifest.Name}', the default for collection '{collection}'");
        }
        await store.EnsureCollectionAsync(new(collection, dimension, null), cancellationToken);
    }

    private static async Task Within(string path, Task work)
    {
        try
        {
            await work;
        }
        catch (Fault fault) when (fault.Field != "model")
        {
            throw fault.Within(path);
        }
    }
}
