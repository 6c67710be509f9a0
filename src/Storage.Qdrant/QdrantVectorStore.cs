using Embeddings.Primitives;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// The store on a Qdrant cluster, which shards, replicates and searches; this server keeps nothing, and any number of servers may share a cluster. Not as in
/// the embedded store: a write of more points than one upsert holds may be stored in part when it fails (sending it again is safe), and answers are
/// approximate unless exact ones are asked for.
/// </summary>
internal sealed class QdrantVectorStore : IVectorStore
{
    private readonly QdrantConnection _connection;
    private readonly QdrantMonitor _monitor;
    private readonly CollectionAdmin _admin;
    private readonly CollectionCatalog _catalog;
    private readonly UpsertLanes _lanes;
    private readonly QdrantReads _reads;
    private readonly QdrantSearch _search;
    private readonly QdrantDeletes _deletes;
    private bool _started;
    private bool _disposed;

    public QdrantVectorStore(QdrantStoreOptions options, QdrantCollectionOptions collections, ILogger<QdrantVectorStore> log, TimeProvider time)
    {
        _connection = new(options);
        _monitor = new(_connection, options, time, log);
        var calls = new QdrantCalls(_connection, _monitor, options, time, log);
        _admin = new(calls, _connection, collections, time, log);
        _catalog = new(_admin, options, time);
        _lanes = new(calls, _catalog, options, time, log);
        _reads = new(calls);
        _search = new(calls, _reads);
        _deletes = new(calls, _reads, _lanes);
        if (options.ApiKey is { Length: > 0 } && _connection.Address is { Scheme: "http", IsLoopback: false })
        {
            log.KeyInTheClear(_connection.Address.Authority);
        }
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _monitor.StartAsync(cancellationToken);
        Volatile.Write(ref _started, true);
    }

    public Task<string?> CheckAsync(CancellationToken cancellationToken) => Task.FromResult(_monitor.Reason);

    public ValueTask EnsureCollectionAsync(CollectionSpec spec, CancellationToken cancellationToken)
    {
        RequireStarted();
        return _catalog.EnsureAsync(spec, cancellationToken);
    }

    public async ValueTask<CollectionInfo?> FindCollectionAsync(string collection, CancellationToken cancellationToken)
    {
        RequireStarted();
        return (await _catalog.FindAsync(collection, cancellationToken))?.Info;
    }

    public async Task<IReadOnlyList<CollectionInfo>> ListCollectionsAsync(CancellationToken cancellationToken)
    {
        RequireStarted();
        var found = await Task.WhenAll((await _admin.NamesAsync(cancellationToken)).Select(name => CountedAsync(name, cancellationToken)));
        return [.. found.OfType<CollectionInfo>().OrderBy(info => info.Name, StringComparer.Ordinal)];
    }

    public async Task<long> DropCollectionAsync(string collection, CancellationToken cancellationToken)
    {
        // Whatever is remembered: what is counted must be what is there now.
        _catalog.Forget(collection);
        var state = await RequireAsync(collection, cancellationToken);
        var count = await _reads.CountAsync(state, PointFilter.All, cancellationToken);
        await _admin.DropAsync(collection, cancellationToken);
        _catalog.Forget(collection);
        return count;
    }

    public Task UpsertAsync(string collection, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken)
    {
        RequireStarted();
        cancellationToken.ThrowIfCancellationRequested();
        // However old: the caller has just ensured it, and points of one stream must be taken in their order, without a question in between.
        return _catalog.Remembered(collection) is { } state
            ? Write(state, points, cancellationToken)
            : UpsertUnknownAsync(collection, points, cancellationToken);
    }

    public async Task<StoredPoint?> GetAsync(string collection, string id, CancellationToken cancellationToken)
    {
        await RequireAsync(collection, cancellationToken);
        return await ForgettingAsync(collection, () => _reads.GetAsync(collection, id, cancellationToken));
    }

    public async Task<long> DeleteAsync(string collection, IReadOnlyList<string> ids, CancellationToken cancellationToken)
    {
        await RequireAsync(collection, cancellationToken);
        return await ForgettingAsync(collection, () => _deletes.DeleteAsync(collection, ids, cancellationToken));
    }

    public async Task<long> DeleteAsync(string collection, PointFilter filter, CancellationToken cancellationToken)
    {
        var state = await RequireAsync(collection, cancellationToken);
        return await ForgettingAsync(collection, () => _deletes.DeleteAsync(state, filter, cancellationToken));
    }

    public async Task<long> CountAsync(string collection, PointFilter filter, CancellationToken cancellationToken)
    {
        var state = await RequireAsync(collection, cancellationToken);
        return await ForgettingAsync(collection, () => _reads.CountAsync(state, filter, cancellationToken));
    }

    public async Task<PointPage> ListAsync(
        string collection, PointFilter filter, int pageSize, string pageToken, bool withVectors, CancellationToken cancellationToken)
    {
        var state = await RequireAsync(collection, cancellationToken);
        return await ForgettingAsync(collection, () => _reads.ListAsync(state, filter, pageSize, pageToken, withVectors, cancellationToken));
    }

    public async Task<IReadOnlyList<IReadOnlyList<ScoredStoredPoint>>> SearchAsync(
        string collection, IReadOnlyList<VectorQuery> queries, SearchSpec spec, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(spec.Limit);
        var state = await RequireAsync(collection, cancellationToken);
        foreach (var query in queries)
        {
            CheckDimension(state, query.Vector.Length);
        }
        return queries.Count == 0 ? [] : await ForgettingAsync(collection, () => _search.SearchAsync(state, queries, spec, cancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true))
        {
            return;
        }
        await _lanes.DisposeAsync();
        await _monitor.DisposeAsync();
        _catalog.Dispose();
        _connection.Dispose();
    }

    private void RequireStarted()
    {
        if (!Volatile.Read(ref _started))
        {
            throw new Fault(FaultKind.Unavailable, Reasons.StoreUnavailable, "the store is not started");
        }
    }

    private ValueTask<CollectionState> RequireAsync(string collection, CancellationToken cancellationToken)
    {
        RequireStarted();
        cancellationToken.ThrowIfCancellationRequested();
        return _catalog.RequireAsync(collection, cancellationToken);
    }

    private async Task UpsertUnknownAsync(string collection, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken) =>
        await Write(await _catalog.RequireAsync(collection, cancellationToken), points, cancellationToken);

    private Task Write(CollectionState state, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken)
    {
        foreach (var point in points)
        {
            CheckDimension(state, point.Vector.Length);
        }
        return points.Count == 0 ? Task.CompletedTask : _lanes.Of(state.Info.Name).WriteAsync(points, cancellationToken);
    }

    // Dropped by somebody else: what is remembered of it is wrong.
    private async Task<T> ForgettingAsync<T>(string collection, Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (Fault fault) when (fault.Kind == FaultKind.NotFound)
        {
            _catalog.Forget(collection);
            throw;
        }
    }

    private async Task<CollectionInfo?> CountedAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            var state = await _admin.ReadAsync(name, cancellationToken);
            return state is null ? null : state.Info with { Count = await _reads.CountAsync(state, PointFilter.All, cancellationToken) };
        }
        // Gone in between, or another program's: not one of this store's.
        catch (Fault fault) when (fault.Kind is FaultKind.NotFound or FaultKind.FailedPrecondition)
        {
            return null;
        }
    }

    private static void CheckDimension(CollectionState state, int dimension)
    {
        if (dimension != state.Info.Dimension)
        {
            throw Fault.Invalid(
                Reasons.DimensionMismatch,
                "vector",
                $"the vector has {dimension} numbers, collection '{state.Info.Name}' holds {state.Info.Dimension}-dimensional ones");
        }
    }
}
