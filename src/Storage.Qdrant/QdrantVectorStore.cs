using System.Text.Json.Nodes;
using Embeddings.Primitives;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// The store on a Qdrant cluster, which shards, replicates and searches. The server keeps no state, and any number of
/// servers can share a cluster. Unlike in the embedded store, a failed write of more points than one upsert holds may
/// be stored in part (its fault names the points that may be missing, and it can be repeated safely), and search results
/// are approximate unless an exact search is requested.
/// </summary>
internal sealed partial class QdrantVectorStore : IVectorStore
{
    private readonly QdrantConnection _connection;
    private readonly QdrantMonitor _monitor;
    private readonly CollectionAdmin _admin;
    private readonly CollectionCatalog _catalog;
    private readonly UpsertBatchers _batchers;
    private readonly QdrantReads _reads;
    private readonly QdrantSearch _search;
    private readonly QdrantDeletes _deletes;
    private readonly QdrantReplacements _replacements;
    private readonly QdrantAttributeUpdates _updates;
    private readonly QdrantHolds _holds;
    private readonly QdrantRetention _retention;
    private readonly QdrantAttributeIndexes _attributes;
    private readonly PrefixExpansion _prefixes;
    private readonly QdrantAliases _aliases;
    private readonly QdrantListings _listings;
    private bool _started;
    private bool _disposed;

    public QdrantVectorStore(
        QdrantStoreOptions options, QdrantCollectionOptions collections, ILogger<QdrantVectorStore> log, TimeProvider time)
    {
        _connection = new(options, time);
        _monitor = new(_connection, options, time, log);
        var calls = new QdrantCalls(_connection, _monitor, options, time, log);
        _admin = new(calls, _connection, collections, time, log);
        _catalog = new(_admin, options, time);
        var indexes = new FilterIndexes(calls, _catalog, options, log);
        _batchers = new(calls, _catalog, options, time, log);
        var replySize = new ReplySize();
        _reads = new(calls, indexes, replySize);
        _search = new(calls, indexes, _reads, replySize);
        _deletes = new(calls, indexes, _reads, _batchers);
        _replacements = new(_reads, _deletes);
        _updates = new(calls, _reads, replySize);
        _holds = new(calls, _admin, _catalog, indexes, _reads);
        _retention = new(calls, _deletes, time);
        _attributes = new(calls, indexes, _catalog);
        _prefixes = new(calls, indexes, _catalog);
        _aliases = new(calls, _admin, time);
        _listings = new(calls, indexes, _retention, replySize, time);
        if (options.ApiKey is { Length: > 0 }
            && _connection.Nodes.FirstOrDefault(node => node.Address is { Scheme: "http", IsLoopback: false }) is { } node)
        {
            log.KeyInTheClear(node.Address.Authority);
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
        return _catalog.Cached(spec.Name) is null
            ? EnsureUncachedAsync(spec, cancellationToken)
            : _catalog.EnsureAsync(spec, cancellationToken);
    }

    public async ValueTask<CollectionInfo?> FindCollectionAsync(string collection, CancellationToken cancellationToken)
    {
        RequireStarted();
        return (await _catalog.FindAsync(collection, cancellationToken))?.Info;
    }

    public Task SetIndexedAttributesAsync(
        string collection,
        IReadOnlyList<IndexedAttribute> add,
        IReadOnlyList<IndexedAttribute> remove,
        CancellationToken cancellationToken)
    {
        RequireStarted();
        return _attributes.SetAsync(collection, add, remove, cancellationToken);
    }

    public async Task<IReadOnlyList<CollectionInfo>> ListCollectionsAsync(CancellationToken cancellationToken)
    {
        RequireStarted();
        var names = await _admin.NamesAsync(cancellationToken);
        var found = await Task.WhenAll(names.Select(name => CountedAsync(name, cancellationToken)));
        return [.. found.OfType<CollectionInfo>().OrderBy(info => info.Name, StringComparer.Ordinal)];
    }

    public async Task<DeleteCounts> DropCollectionAsync(
        string collection, IDeletedIds? ids, CancellationToken cancellationToken)
    {
        // Not from the cache: the count must be current.
        _catalog.Forget(collection);
        var state = await RequireAsync(collection, cancellationToken);
        if (state.HasHolds
            && await _reads.CountAsync(state, new PointFilter { OnHold = true }, cancellationToken) > 0)
        {
            return await _deletes.DeleteAsync(state, PointFilter.All, ids, cancellationToken);
        }
        var count = await ReadIdsAsync(state, ids, cancellationToken)
            ?? await _reads.CountAsync(state, PointFilter.All, cancellationToken);
        await _admin.DropAsync(collection, cancellationToken);
        _catalog.Forget(collection);
        _aliases.Forget();
        return new(count, 0);
    }

    public Task UpsertAsync(string collection, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken)
    {
        RequireStarted();
        cancellationToken.ThrowIfCancellationRequested();
        // Expired entries are accepted: the caller has just ensured the collection, and a lookup here could reorder the
        // points of a stream.
        return _catalog.Cached(collection) is { } state
            ? Write(state, points, cancellationToken)
            : UpsertUncachedAsync(collection, points, cancellationToken);
    }

    public Task<long> ReplaceFacesAsync(
        string collection, string jobId, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken)
    {
        RequireStarted();
        cancellationToken.ThrowIfCancellationRequested();
        // As in UpsertAsync.
        return _catalog.Cached(collection) is { } state
            ? ReplaceAsync(state, jobId, points, cancellationToken)
            : ReplaceUncachedAsync(collection, jobId, points, cancellationToken);
    }

    public async Task<long> UpdateAttributesAsync(
        string collection,
        IReadOnlyList<string> ids,
        Func<StoredPoint, JsonObject?> change,
        CancellationToken cancellationToken)
    {
        return await OnAsync(
            collection, state => _updates.UpdateAsync(state, ids, change, cancellationToken), cancellationToken);
    }

    public async Task<StoredPoint?> GetAsync(string collection, string id, CancellationToken cancellationToken)
    {
        return await OnAsync(collection, _ => _reads.GetAsync(collection, id, cancellationToken), cancellationToken);
    }

    public async Task<DeleteCounts> DeleteAsync(
        string collection, IReadOnlyList<string> ids, IDeletedIds? deleted, CancellationToken cancellationToken)
    {
        return await OnAsync(
            collection, _ => _deletes.DeleteAsync(collection, ids, deleted, cancellationToken), cancellationToken);
    }

    public async Task<DeleteCounts> DeleteAsync(
        string collection, PointFilter filter, IDeletedIds? deleted, CancellationToken cancellationToken)
    {
        return await OnAsync(
            collection,
            async state => await _deletes.DeleteAsync(
                state, await _prefixes.ExpandAsync(state, filter, cancellationToken), deleted, cancellationToken),
            cancellationToken);
    }

    public async Task<long> DeleteExpiredAsync(
        string collection,
        DateTimeOffset now,
        DateTimeOffset? storedBefore,
        int limit,
        CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(limit);
        return await OnAsync(
            collection, state => _retention.DeleteAsync(state, now, storedBefore, limit, cancellationToken), cancellationToken);
    }

    public async Task<long> SetHoldAsync(
        string collection, IReadOnlyList<string> ids, bool hold, CancellationToken cancellationToken)
    {
        return await OnAsync(collection, _ => _holds.SetAsync(collection, ids, hold, cancellationToken), cancellationToken);
    }

    public async Task<long> SetHoldAsync(
        string collection, PointFilter filter, bool hold, CancellationToken cancellationToken)
    {
        return await OnAsync(
            collection,
            async state => await _holds.SetAsync(
                collection, await _prefixes.ExpandAsync(state, filter, cancellationToken), hold, cancellationToken),
            cancellationToken);
    }

    public async Task<PointKeyPage> ListKeysAsync(
        string collection, PointFilter filter, string pageToken, CancellationToken cancellationToken)
    {
        return await OnAsync(
            collection,
            async state => await _reads.ListKeysAsync(
                state, await _prefixes.ExpandAsync(state, filter, cancellationToken), pageToken, cancellationToken),
            cancellationToken);
    }

    public async Task<long> CountAsync(string collection, PointFilter filter, CancellationToken cancellationToken)
    {
        return await OnAsync(
            collection,
            async state => await _reads.CountAsync(
                state, await _prefixes.ExpandAsync(state, filter, cancellationToken), cancellationToken),
            cancellationToken);
    }

    public async Task<PointPage> ListAsync(
        string collection,
        PointFilter filter,
        int pageSize,
        string pageToken,
        bool withVectors,
        CancellationToken cancellationToken)
    {
        return await OnAsync(
            collection,
            async state => await _reads.ListAsync(
                state,
                await _prefixes.ExpandAsync(state, filter, cancellationToken),
                pageSize,
                pageToken,
                withVectors,
                cancellationToken),
            cancellationToken);
    }

    public async Task<IReadOnlyList<IReadOnlyList<ScoredStoredPoint>>> SearchAsync(
        string collection, IReadOnlyList<VectorQuery> queries, SearchSpec spec, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(spec.Limit);
        return await OnAsync(
            collection,
            async state =>
            {
                foreach (var query in queries)
                {
                    CheckDimension(state, query.Vector.Length);
                }
                if (queries.Count == 0)
                {
                    return [];
                }
                var filter = await _prefixes.ExpandAsync(state, spec.Filter, cancellationToken);
                return await _search.SearchAsync(state, queries, spec with { Filter = filter }, cancellationToken);
            },
            cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true))
        {
            return;
        }
        await _batchers.DisposeAsync();
        await _monitor.DisposeAsync();
        _aliases.Dispose();
        _catalog.Dispose();
        _connection.Dispose();
    }

    private void RequireStarted()
    {
        if (!Volatile.Read(ref _started))
        {
            throw CollectionFaults.NotStarted();
        }
    }

    private ValueTask<CollectionState> RequireAsync(string collection, CancellationToken cancellationToken)
    {
        RequireStarted();
        cancellationToken.ThrowIfCancellationRequested();
        return _catalog.RequireAsync(collection, cancellationToken);
    }

    private async Task UpsertUncachedAsync(
        string collection, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken) =>
        await Write(await _catalog.RequireAsync(collection, cancellationToken), points, cancellationToken);

    private async Task<long> ReplaceUncachedAsync(
        string collection, string jobId, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken) =>
        await ReplaceAsync(
            await _catalog.RequireAsync(collection, cancellationToken), jobId, points, cancellationToken);

    private Task<long> ReplaceAsync(
        CollectionState state, string jobId, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken)
    {
        CheckDimensions(state, points);
        return state.HasHolds
            ? ReplaceFreeAsync(state, jobId, points, cancellationToken)
            : _replacements.ReplaceAsync(state, jobId, points, () => Send(state, points, reportsIndexes: false, cancellationToken), cancellationToken);
    }

    private async Task<long> ReplaceFreeAsync(
        CollectionState state, string jobId, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken)
    {
        await _holds.RequireNoOtherFacesAsync(
            state, jobId, points.Select(point => PointIds.Of(point.Id)), cancellationToken);
        return await _replacements.ReplaceAsync(
            state, jobId, points, () => Send(state, points, reportsIndexes: false, cancellationToken), cancellationToken);
    }

    private Task Write(CollectionState state, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken)
    {
        CheckDimensions(state, points);
        return _replacements.Protect(state.Info.Name, points) is { } removal
            ? WriteAfterAsync(removal, state, points, cancellationToken)
            : Send(state, points, reportsIndexes: true, cancellationToken);
    }

    private async Task WriteAfterAsync(
        Task removal, CollectionState state, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken)
    {
        await removal.WaitAsync(cancellationToken);
        await Write(state, points, cancellationToken);
    }

    private Task Send(
        CollectionState state, IReadOnlyList<StoredPoint> points, bool reportsIndexes, CancellationToken cancellationToken)
    {
        if (points.Count == 0)
        {
            return Task.CompletedTask;
        }
        var name = state.Info.Name;
        return state.HasHolds || points.Any(point => point.Payload.OnHold)
            ? SendFreeAsync(name, points, Queue, cancellationToken)
            : Queue();

        Task Queue() => _batchers.Of(name).WriteAsync(points, cancellationToken, reportsIndexes);
    }

    private async Task SendFreeAsync(
        string name, IReadOnlyList<StoredPoint> points, Func<Task> write, CancellationToken cancellationToken) =>
        await await _holds.WriteAsync(name, points, write, cancellationToken);

    private async Task<long?> ReadIdsAsync(CollectionState state, IDeletedIds? ids, CancellationToken cancellationToken)
    {
        if (ids is null)
        {
            return null;
        }
        ids.Begin();
        var count = 0L;
        var token = "";
        do
        {
            var page = await _reads.ListKeysAsync(state, PointFilter.All, token, cancellationToken);
            foreach (var key in page.Keys)
            {
                ids.Add(key.Id);
            }
            count += page.Keys.Count;
            token = page.NextPageToken;
        }
        while (token.Length > 0);
        return count;
    }

    // Removes a collection from the cache if another program has dropped it or changed its limits, in which case the work
    // is repeated within the new limits.
    private async Task<T> OnAsync<T>(
        string collection, Func<CollectionState, Task<T>> work, CancellationToken cancellationToken)
    {
        var state = await RequireAsync(collection, cancellationToken);
        try
        {
            return await work(state);
        }
        catch (Fault fault) when (fault.Kind == FaultKind.NotFound)
        {
            _catalog.Forget(collection);
            throw;
        }
        catch (Fault fault) when (fault.Reason == Reasons.CollectionRestricted)
        {
            _catalog.Forget(collection);
            var current = await RequireAsync(collection, cancellationToken);
            if (current.Limits == state.Limits)
            {
                throw;
            }
            return await work(current);
        }
    }

    private async Task<CollectionInfo?> CountedAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            var state = await _admin.ReadAsync(name, cancellationToken);
            return state is null
                ? null
                : state.Info with { Count = await _reads.CountAsync(state, PointFilter.All, cancellationToken) };
        }
        // Dropped in between, or created by another program.
        catch (Fault fault) when (fault.Kind is FaultKind.NotFound or FaultKind.FailedPrecondition)
        {
            return null;
        }
    }

    private static void CheckDimensions(CollectionState state, IReadOnlyList<StoredPoint> points)
    {
        foreach (var point in points)
        {
            CheckDimension(state, point.Vector.Length);
        }
    }

    private static void CheckDimension(CollectionState state, int dimension)
    {
        if (dimension != state.Info.Dimension)
        {
            throw CollectionFaults.WrongDimension(state.Info.Name, state.Info.Dimension, dimension);
        }
    }
}
