using System.Text;
using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// The embedded store: points in a SQLite file, and their vectors encoded as bytes in memory, which find the few rows that can be hits
/// and whose vectors are then compared exactly. An
/// acknowledged write is on disk and visible to the next search; a search that overlaps a write sees each point either
/// before or after it, with the score of the version that it returns.
/// </summary>
internal sealed partial class EmbeddedVectorStore(EmbeddedStoreOptions options, ILogger<EmbeddedVectorStore> log, TimeProvider time)
    : IVectorStore
{
    private const int KeysPerPage = 10_000;

    // Hits that one pass keeps for all its queries, per thread. More queries, with large offsets, take several passes.
    private const int MaxHitsPerPass = 1 << 17;

    // A search is repeated if points that it has found are deleted before they are read.
    private const int MaxAttempts = 20;

    private EmbeddedEngine? _engine;

    /// <summary>The components of the started store, for tests.</summary>
    internal EmbeddedEngine Engine => Volatile.Read(ref _engine) ?? throw CollectionFaults.NotStarted();

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var engine = await Task.Run(() => EmbeddedEngine.Open(options, time, log, cancellationToken), cancellationToken);
        Volatile.Write(ref _engine, engine);
        log.StoreReady(
            Path.GetFullPath(options.Directory),
            engine.Catalog.TotalPoints,
            engine.Catalog.All.Count(),
            time.GetElapsedTime(started).TotalMilliseconds);
    }

    public Task<string?> CheckAsync(CancellationToken cancellationToken) =>
        Task.FromResult(Volatile.Read(ref _engine) is null ? CollectionFaults.NotStarted().Message : null);

    public async Task<string?> CheckWritesAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _engine) is not { } engine)
        {
            return CollectionFaults.NotStarted().Message;
        }

        if (engine.Writer.LastError is null)
        {
            return null;
        }

        // Writes have failed. Try one here, since clients send none to a server that is not ready.
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
        if (engine.Catalog.Find(spec.Name) is not { } index)
        {
            spec.RequireDimension(options.MaxDimension, "Store:Embedded:MaxDimension");
            EnsureCollectionRequest.RequireRoom(engine.Catalog.Count, options.MaxCollections);
        }
        else if (!index.Info.Spec.Adopts(spec))
        {
            return ValueTask.CompletedTask;
        }

        var request = new EnsureCollectionRequest(engine.Catalog, spec, options.MaxCollections, cancellationToken);
        return new ValueTask(engine.Writer.WriteAsync(request, cancellationToken));
    }

    public ValueTask<CollectionInfo?> FindCollectionAsync(string collection, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Engine.Catalog.Find(collection)?.Info);

    public Task SetIndexedAttributesAsync(
        string collection,
        IReadOnlyList<IndexedAttribute> add,
        IReadOnlyList<IndexedAttribute> remove,
        CancellationToken cancellationToken)
    {
        var engine = Engine;
        var index = engine.Catalog.Require(collection);
        return engine.Writer.WriteAsync(new SetIndexedAttributesRequest(index, add, remove, cancellationToken), cancellationToken);
    }

    public Task<IReadOnlyList<CollectionInfo>> ListCollectionsAsync(CancellationToken cancellationToken)
    {
        var collections = Engine.Catalog.All.Select(static index => index.Info);
        return Task.FromResult<IReadOnlyList<CollectionInfo>>(
            [.. collections.OrderBy(static info => info.Name, StringComparer.Ordinal)]);
    }

    public Task<DeleteCounts> DropCollectionAsync(
        string collection, IDeletedIds? ids, CancellationToken cancellationToken)
    {
        var catalog = Engine.Catalog;
        return DeleteAsync(
            new DropCollectionRequest(catalog, catalog.Require(collection), ids, cancellationToken), cancellationToken);
    }

    public async Task UpsertAsync(string collection, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken)
    {
        var engine = Engine;
        var index = engine.Catalog.Require(collection);
        if (points.Count == 0)
        {
            return;
        }

        await engine.Writer.WriteAsync(
            new UpsertRequest(engine.Catalog, index, Encode(index, points), cancellationToken), cancellationToken);
    }

    public Task<long> ReplaceFacesAsync(
        string collection, string jobId, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken)
    {
        var engine = Engine;
        var index = engine.Catalog.Require(collection);
        var request = new ReplaceFacesRequest(
            engine.Catalog, index, Encoding.UTF8.GetBytes(jobId), Encode(index, points), cancellationToken);
        return engine.Writer.WriteAsync(request, cancellationToken);
    }

    public Task<long> UpdateAttributesAsync(
        string collection,
        IReadOnlyList<string> ids,
        Func<StoredPoint, JsonObject?> change,
        CancellationToken cancellationToken)
    {
        var engine = Engine;
        var index = engine.Catalog.Require(collection);
        return ids.Count == 0
            ? Task.FromResult(0L)
            : engine.Writer.WriteAsync(new UpdateAttributesRequest(index, ids, change, cancellationToken), cancellationToken);
    }

    public Task<StoredPoint?> GetAsync(string collection, string id, CancellationToken cancellationToken)
    {
        var index = Engine.Catalog.Require(collection);
        return Engine.Lookups.RunAsync(session => PointQueries.Find(session, index, id), cancellationToken);
    }

    public Task<DeleteCounts> DeleteAsync(
        string collection, IReadOnlyList<string> ids, IDeletedIds? deleted, CancellationToken cancellationToken)
    {
        var catalog = Engine.Catalog;
        var index = catalog.Require(collection);
        return ids.Count == 0
            ? Task.FromResult(default(DeleteCounts))
            : DeleteAsync(new DeleteIdsRequest(catalog, index, Keys(ids), deleted, cancellationToken), cancellationToken);
    }

    public Task<DeleteCounts> DeleteAsync(
        string collection, PointFilter filter, IDeletedIds? deleted, CancellationToken cancellationToken)
    {
        var catalog = Engine.Catalog;
        var index = catalog.Require(collection);
        return DeleteAsync(new DeleteMatchingRequest(catalog, index, filter, deleted, cancellationToken), cancellationToken);
    }

    public Task<long> DeleteExpiredAsync(
        string collection,
        DateTimeOffset now,
        DateTimeOffset? storedBefore,
        int limit,
        CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(limit);
        var engine = Engine;
        var index = engine.Catalog.Require(collection);
        return engine.Writer.WriteAsync(
            new DeleteExpiredRequest(engine.Catalog, index, now, storedBefore, limit, cancellationToken), cancellationToken);
    }

    public Task<long> SetHoldAsync(
        string collection, IReadOnlyList<string> ids, bool hold, CancellationToken cancellationToken)
    {
        var engine = Engine;
        var index = engine.Catalog.Require(collection);
        return ids.Count == 0
            ? Task.FromResult(0L)
            : engine.Writer.WriteAsync(
                new SetHoldRequest(index, Keys(ids), PointFilter.All, hold, cancellationToken), cancellationToken);
    }

    public Task<long> SetHoldAsync(string collection, PointFilter filter, bool hold, CancellationToken cancellationToken)
    {
        var engine = Engine;
        var index = engine.Catalog.Require(collection);
        return engine.Writer.WriteAsync(
            new SetHoldRequest(index, null, filter, hold, cancellationToken), cancellationToken);
    }

    public Task<PointKeyPage> ListKeysAsync(
        string collection, PointFilter filter, string pageToken, CancellationToken cancellationToken)
    {
        var index = Engine.Catalog.Require(collection);
        var position = PageToken.Decode($"{index.Statements.Table}/keys", pageToken);
        var after = position is null ? 0 : BitConverter.ToInt64(position);
        return Engine.Readers.RunAsync(
            session => PointQueries.Keys(session, index, filter, KeysPerPage, after), cancellationToken);
    }

    public Task<long> CountAsync(string collection, PointFilter filter, CancellationToken cancellationToken)
    {
        var index = Engine.Catalog.Require(collection);
        return filter.IsEmpty
            ? Task.FromResult((long)index.Count)
            : Engine.Readers.RunAsync(session => PointQueries.Count(session, index, filter), cancellationToken);
    }

    public Task<PointPage> ListAsync(
        string collection,
        PointFilter filter,
        int pageSize,
        string pageToken,
        bool withVectors,
        CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pageSize);
        var index = Engine.Catalog.Require(collection);
        // The table's name is never reused, unlike the collection's.
        var position = PageToken.Decode(index.Statements.Table, pageToken);
        var after = position is null ? 0 : BitConverter.ToInt64(position);
        return Engine.Readers.RunAsync(
            session => PointQueries.Page(session, index, filter, pageSize, after, withVectors), cancellationToken);
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

        var total = checked(spec.Offset + spec.Limit);
        var queriesPerPass = Math.Max(1, MaxHitsPerPass / (spec.GroupBy is null ? total : GroupedSearch.FirstHits(spec)));
        if (queries.Count <= queriesPerPass)
        {
            return await SearchAsync(engine, index, queries, spec, cancellationToken);
        }

        var results = new List<IReadOnlyList<ScoredStoredPoint>>(queries.Count);
        foreach (var part in queries.Chunk(queriesPerPass))
        {
            results.AddRange(await SearchAsync(engine, index, part, spec, cancellationToken));
        }

        return results;
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _engine, null) is { } engine)
        {
            await engine.DisposeAsync();
        }
    }

    private static async Task<ScoredStoredPoint[][]> SearchAsync(
        EmbeddedEngine engine,
        CollectionIndex index,
        IReadOnlyList<VectorQuery> queries,
        SearchSpec spec,
        CancellationToken cancellationToken)
    {
        using var vectors = Normalize(index, queries);
        var bytesPerHit = PointSize.Least(spec.WithVectors ? index.Dimension : 0);
        if (spec is { Filter.IsEmpty: true, ScoreThreshold: null, GroupBy: null, Offset: 0 })
        {
            // The number of hits is known before the scan; a query may exclude some points.
            var excluded = queries.Max(static query => query.Excluded?.Count ?? 0);
            spec.Lease?.Require(queries.Count * (long)Math.Min(spec.Limit, Math.Max(0, index.Count - excluded)), bytesPerHit);
        }

        var plan = new SearchPlan(
            index,
            vectors,
            [.. queries.Select(static query => query.Excluded)],
            spec.GroupBy is null ? spec.Offset + spec.Limit : GroupedSearch.FirstHits(spec),
            spec.ScoreThreshold,
            RowSelection.InMemory(index, spec.Filter))
        {
            IsExact = spec.Exact is not false,
            ApproximateCandidates = spec.HnswEf,
        };
        for (var attempt = 1; ; attempt++)
        {
            CandidateRows[] found;
            try
            {
                plan = plan with { Rows = plan.Rows ?? await SelectAsync() };
                found = await engine.Search.RunAsync(plan, cancellationToken);
            }
            catch (IndexRemovedException)
            {
                plan = plan with { Rows = await SelectAsync() };
                found = await engine.Search.RunAsync(plan, cancellationToken);
            }

            // Many candidates take long, and lookups of points do not wait for that.
            var sessions = found.Any(static rows => rows.IsAll || rows.Items.Length > Rescoring.ManyRows) ? engine.Readers : engine.Lookups;
            var isLast = attempt == MaxAttempts;
            if (spec.GroupBy is null)
            {
                var points = await sessions.RunAsync(
                    session =>
                    {
                        var hits = Rescoring.Run(session, plan, found, out var isStale);
                        return isStale && !isLast ? null : Fetch(session, hits);
                    },
                    cancellationToken);
                if (points is not null)
                {
                    return points;
                }

                continue;
            }

            var first = await sessions.RunAsync(
                session =>
                {
                    var hits = Rescoring.Run(session, plan, found, out var isStale);
                    return isStale && !isLast ? null : hits;
                },
                cancellationToken);
            if (first is not null)
            {
                var grouped = await new GroupedSearch(engine, plan, spec).RunAsync(first, bytesPerHit, cancellationToken);
                return await engine.Lookups.RunAsync(session => Fetch(session, grouped), cancellationToken);
            }
        }

        async Task<RowSelection?> SelectAsync() => spec.Filter.IsEmpty
            ? null
            : await engine.Readers.RunAsync(session => PointQueries.Rows(session, index, spec.Filter), cancellationToken);

        ScoredStoredPoint[][] Fetch(SqliteSession session, Hit[][] hits)
        {
            if (spec.GroupBy is null && spec.Offset > 0)
            {
                hits = [.. hits.Select(each => each.Skip(spec.Offset).ToArray())];
            }

            spec.Lease?.Require(hits.Sum(static each => (long)each.Length), bytesPerHit);
            return spec is { WithPayload: false, WithVectors: false }
                ? [.. hits.Select(each => each.Select(hit => WithoutContent(hit, spec)).ToArray())]
                : PointQueries.Fetch(session, plan, hits, spec);
        }
    }

    private async Task<DeleteCounts> DeleteAsync(DeleteRequest request, CancellationToken cancellationToken) =>
        new(await Engine.Writer.WriteAsync(request, cancellationToken), request.Held);

    private static byte[][] Keys(IReadOnlyList<string> ids) => [.. ids.Select(Encoding.UTF8.GetBytes)];

    private static ScoredStoredPoint WithoutContent(Hit hit, SearchSpec spec)
    {
        var point = new StoredPoint(hit.Id, default, PointPayload.Empty);
        spec.Lease?.Add(point);
        return new(hit.Score, point);
    }

    private static AlignedBuffer Normalize(CollectionIndex index, IReadOnlyList<VectorQuery> queries)
    {
        var stride = index.Vectors.Stride;
        foreach (var query in queries)
        {
            RequireDimension(index, query.Vector.Length);
        }

        var vectors = AlignedBuffer.ZeroedFloats(checked(queries.Count * stride));
        for (var i = 0; i < queries.Count; i++)
        {
            var row = vectors.Slice<float>((nuint)(i * stride), index.Dimension);
            if (!UnitVectors.TryNormalize(queries[i].Vector.Span, row))
            {
                vectors.Dispose();
                throw Fault.Invalid(
                    Reasons.VectorZero, "vector", "vector must have only finite values and at least one that is not zero.");
            }
        }

        return vectors;
    }

    private PointRow[] Encode(CollectionIndex index, IReadOnlyList<StoredPoint> points)
    {
        var rows = new PointRow[points.Count];
        var now = time.GetUtcNow();
        for (var i = 0; i < rows.Length; i++)
        {
            RequireDimension(index, points[i].Vector.Length);
            rows[i] = PointCodec.Encode(points[i], now);
        }

        return rows;
    }

    private static void RequireDimension(CollectionIndex index, int dimension)
    {
        if (dimension != index.Dimension)
        {
            throw CollectionFaults.WrongDimension(index.Name, index.Dimension, dimension);
        }
    }
}
