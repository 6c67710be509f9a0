using System.Text;
using Embeddings.Primitives;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// The store inside the server: points in a SQLite file, vectors in memory as well, searched exactly. What is acknowledged is on the disk and in the next
/// search; a search that overlaps a write sees the point as it was or as it is.
/// </summary>
internal sealed class EmbeddedVectorStore(EmbeddedStoreOptions options, ILogger<EmbeddedVectorStore> log, TimeProvider time) : IVectorStore
{
    private EmbeddedEngine? _engine;

    private EmbeddedEngine Engine =>
        Volatile.Read(ref _engine) ?? throw new Fault(FaultKind.Unavailable, Reasons.StoreUnavailable, "the store is not started");

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var engine = await Task.Run(() => EmbeddedEngine.Open(options, log, cancellationToken), cancellationToken);
        Volatile.Write(ref _engine, engine);
        var catalog = engine.Catalog;
        log.StoreReady(Path.GetFullPath(options.Directory), catalog.TotalPoints, catalog.All.Count(), time.GetElapsedTime(started).TotalMilliseconds);
    }

    public async Task<string?> CheckAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _engine) is not { } engine)
        {
            return "the store is not started";
        }

        if (engine.Writer.LastError is null)
        {
            return null;
        }

        // Writes failed: try one, since nobody sends any to a server that says it is not ready.
        try
        {
            await engine.Writer.WriteAsync(new ProbeRequest(cancellationToken), cancellationToken);
            return null;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            return exception.Message;
        }
    }

    public ValueTask EnsureCollectionAsync(CollectionSpec spec, CancellationToken cancellationToken)
    {
        var engine = Engine;
        if (engine.Catalog.Find(spec.Name) is { } index && !CollectionRules.Adopts(new CollectionSpec(index.Name, index.Dimension, index.Model), spec))
        {
            return ValueTask.CompletedTask;
        }

        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(spec.Dimension);
        return new ValueTask(engine.Writer.WriteAsync(new EnsureCollectionRequest(engine.Catalog, spec, cancellationToken), cancellationToken));
    }

    public ValueTask<CollectionInfo?> FindCollectionAsync(string collection, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Engine.Catalog.Find(collection)?.Info);

    public Task<IReadOnlyList<CollectionInfo>> ListCollectionsAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<CollectionInfo>>(
            [.. Engine.Catalog.All.Select(static index => index.Info).OrderBy(static info => info.Name, StringComparer.Ordinal)]);

    public Task<long> DropCollectionAsync(string collection, CancellationToken cancellationToken)
    {
        var engine = Engine;
        return engine.Writer.WriteAsync(new DropCollectionRequest(engine.Catalog, engine.Catalog.Require(collection), cancellationToken), cancellationToken);
    }

    public async Task UpsertAsync(string collection, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken)
    {
        var engine = Engine;
        var index = engine.Catalog.Require(collection);
        if (points.Count == 0)
        {
            return;
        }

        var rows = new PointRow[points.Count];
        for (var i = 0; i < rows.Length; i++)
        {
            RequireDimension(index, points[i].Vector.Length);
            rows[i] = PointCodec.Encode(points[i]);
        }

        await engine.Writer.WriteAsync(new UpsertRequest(index, rows, cancellationToken), cancellationToken);
    }

    public Task<StoredPoint?> GetAsync(string collection, string id, CancellationToken cancellationToken)
    {
        var index = Engine.Catalog.Require(collection);
        return Engine.Readers.RunAsync(session => PointReader.Find(session, index, id), cancellationToken);
    }

    public Task<long> DeleteAsync(string collection, IReadOnlyList<string> ids, CancellationToken cancellationToken)
    {
        var engine = Engine;
        var index = engine.Catalog.Require(collection);
        byte[][] keys = [.. ids.Select(Encoding.UTF8.GetBytes)];
        return keys.Length == 0
            ? Task.FromResult(0L)
            : engine.Writer.WriteAsync(new DeleteIdsRequest(index, keys, cancellationToken), cancellationToken);
    }

    public Task<long> DeleteAsync(string collection, PointFilter filter, CancellationToken cancellationToken)
    {
        var engine = Engine;
        var index = engine.Catalog.Require(collection);
        return engine.Writer.WriteAsync(new DeleteMatchingRequest(index, filter, cancellationToken), cancellationToken);
    }

    public Task<long> CountAsync(string collection, PointFilter filter, CancellationToken cancellationToken)
    {
        var index = Engine.Catalog.Require(collection);
        return filter.IsEmpty
            ? Task.FromResult((long)index.Count)
            : Engine.Readers.RunAsync(session => PointReader.Count(session, index, filter), cancellationToken);
    }

    public Task<PointPage> ListAsync(
        string collection, PointFilter filter, int pageSize, string pageToken, bool withVectors, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pageSize);
        var index = Engine.Catalog.Require(collection);
        var after = PageToken.Read(pageToken, index.Key);
        return Engine.Readers.RunAsync(session => PointReader.Page(session, index, filter, pageSize, after, withVectors), cancellationToken);
    }

    public async Task<IReadOnlyList<IReadOnlyList<ScoredStoredPoint>>> SearchAsync(
        string collection, IReadOnlyList<VectorQuery> queries, SearchSpec spec, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(spec.Limit);
        var engine = Engine;
        var index = engine.Catalog.Require(collection);
        if (queries.Count == 0)
        {
            return [];
        }

        using var vectors = Normalize(index, queries);
        var rows = spec.Filter.IsEmpty ? null : await engine.Readers.RunAsync(session => PointReader.Rows(session, index, spec.Filter), cancellationToken);
        var plan = new SearchPlan(index, vectors, [.. queries.Select(static query => query.ExcludeId)], spec.Limit, spec.ScoreThreshold, rows);
        var hits = await engine.Search.RunAsync(plan, cancellationToken);
        return spec is { WithPayload: false, WithVectors: false }
            ? [.. hits.Select(static found => found.Select(Bare).ToArray())]
            : await engine.Readers.RunAsync(session => PointReader.Fetch(session, index, hits, spec), cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _engine, null) is { } engine)
        {
            await engine.DisposeAsync();
        }
    }

    private static ScoredStoredPoint Bare(Hit hit) => new(hit.Score, new StoredPoint(hit.Id, default, PointPayload.Empty));

    private static AlignedFloats Normalize(CollectionIndex index, IReadOnlyList<VectorQuery> queries)
    {
        var stride = index.Vectors.Stride;
        foreach (var query in queries)
        {
            RequireDimension(index, query.Vector.Length);
        }

        var vectors = new AlignedFloats(checked(queries.Count * stride));
        for (var i = 0; i < queries.Count; i++)
        {
            if (!RowNormalizer.TryNormalize(queries[i].Vector.Span, vectors.Span.Slice(i * stride, index.Dimension)))
            {
                vectors.Dispose();
                throw Fault.Invalid(Reasons.VectorZero, "vector", "the query's vector is all zero or not finite");
            }
        }

        return vectors;
    }

    private static void RequireDimension(CollectionIndex index, int dimension)
    {
        if (dimension != index.Dimension)
        {
            throw Fault.Invalid(
                Reasons.DimensionMismatch, "vector", $"the vector has {dimension} numbers, collection '{index.Name}' holds {index.Dimension}-dimensional ones");
        }
    }
}
