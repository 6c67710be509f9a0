using System.Text.Json.Nodes;
using Embeddings.Testing;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>A store whose collections have a prefix that nobody sees, so that tests do not touch what else is on a server.</summary>
internal sealed class PrefixedStore(IVectorStore store, string prefix, Func<Task> remove) : IVectorStore
{
    public Task StartAsync(CancellationToken cancellationToken) => store.StartAsync(cancellationToken);

    public Task<string?> CheckAsync(CancellationToken cancellationToken) => store.CheckAsync(cancellationToken);

    public ValueTask EnsureCollectionAsync(CollectionSpec spec, CancellationToken cancellationToken) =>
        store.EnsureCollectionAsync(spec with { Name = prefix + spec.Name }, cancellationToken);

    public Task CreateCollectionAsync(
        CollectionSpec spec, CollectionSettings settings, IReadOnlyList<IndexedAttribute> indexed, CancellationToken cancellationToken) =>
        store.CreateCollectionAsync(spec with { Name = prefix + spec.Name }, settings, indexed, cancellationToken);

    public async Task<CollectionInfo?> ReadCollectionAsync(string collection, CancellationToken cancellationToken) =>
        await store.ReadCollectionAsync(prefix + collection, cancellationToken) is { } info ? info with { Name = collection } : null;

    public Task UpdateSettingsAsync(string collection, SettingsChange change, CancellationToken cancellationToken) =>
        store.UpdateSettingsAsync(prefix + collection, change, cancellationToken);

    public Task SetIndexedAttributesAsync(
        string collection, IReadOnlyList<IndexedAttribute> add, IReadOnlyList<IndexedAttribute> remove, CancellationToken cancellationToken) =>
        store.SetIndexedAttributesAsync(prefix + collection, add, remove, cancellationToken);

    public async ValueTask<IReadOnlyDictionary<string, string>> AliasesAsync(bool isWrite, CancellationToken cancellationToken) =>
        (await store.AliasesAsync(isWrite, cancellationToken))
            .Where(alias => alias.Key.StartsWith(prefix, StringComparison.Ordinal))
            .ToDictionary(alias => alias.Key[prefix.Length..], alias => alias.Value[prefix.Length..]);

    public Task UpdateAliasesAsync(
        IReadOnlyList<CollectionAlias> set, IReadOnlyList<string> delete, CancellationToken cancellationToken) =>
        store.UpdateAliasesAsync(
            [.. set.Select(alias => new CollectionAlias(prefix + alias.Alias, prefix + alias.Collection))],
            [.. delete.Select(alias => prefix + alias)],
            cancellationToken);

    public async ValueTask<CollectionInfo?> FindCollectionAsync(string collection, CancellationToken cancellationToken) =>
        await store.FindCollectionAsync(prefix + collection, cancellationToken) is { } info ? info with { Name = collection } : null;

    public async Task<IReadOnlyList<CollectionInfo>> ListCollectionsAsync(CancellationToken cancellationToken) =>
    [
        .. (await store.ListCollectionsAsync(cancellationToken))
            .Where(info => info.Name.StartsWith(prefix, StringComparison.Ordinal))
            .Select(info => info with { Name = info.Name[prefix.Length..] }),
    ];

    public Task<DeleteCounts> DropCollectionAsync(string collection, IDeletedIds? ids, CancellationToken cancellationToken) =>
        store.DropCollectionAsync(prefix + collection, ids, cancellationToken);

    public Task UpsertAsync(string collection, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken) =>
        store.UpsertAsync(prefix + collection, points, cancellationToken);

    public Task<long> ReplaceFacesAsync(
        string collection, string jobId, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken) =>
        store.ReplaceFacesAsync(prefix + collection, jobId, points, cancellationToken);

    public Task<long> UpdateAttributesAsync(
        string collection, IReadOnlyList<string> ids, Func<StoredPoint, JsonObject?> change, CancellationToken cancellationToken) =>
        store.UpdateAttributesAsync(prefix + collection, ids, change, cancellationToken);

    public Task<long> UpdateAttributesAsync(
        string collection, PointFilter filter, Func<StoredPoint, JsonObject?> change, CancellationToken cancellationToken) =>
        store.UpdateAttributesAsync(prefix + collection, filter, change, cancellationToken);

    public Task<IReadOnlyList<StoredPoint>> GetAsync(
        string collection,
        IReadOnlyList<string> ids,
        bool withPayload,
        bool withVectors,
        ResponseLease? lease,
        CancellationToken cancellationToken) =>
        store.GetAsync(prefix + collection, ids, withPayload, withVectors, lease, cancellationToken);

    public Task<PointPage> ListAsync(
        string collection,
        PointFilter filter,
        PointOrder order,
        int pageSize,
        string pageToken,
        bool withVectors,
        CancellationToken cancellationToken) =>
        store.ListAsync(prefix + collection, filter, order, pageSize, pageToken, withVectors, cancellationToken);

    public Task<StoredPoint?> GetAsync(string collection, string id, CancellationToken cancellationToken) =>
        store.GetAsync(prefix + collection, id, cancellationToken);

    public Task<DeleteCounts> DeleteAsync(
        string collection, IReadOnlyList<string> ids, IDeletedIds? deleted, CancellationToken cancellationToken) =>
        store.DeleteAsync(prefix + collection, ids, deleted, cancellationToken);

    public Task<DeleteCounts> DeleteAsync(
        string collection, PointFilter filter, IDeletedIds? deleted, CancellationToken cancellationToken) =>
        store.DeleteAsync(prefix + collection, filter, deleted, cancellationToken);

    public Task<long> DeleteExpiredAsync(
        string collection, DateTimeOffset now, DateTimeOffset? storedBefore, int limit, CancellationToken cancellationToken) =>
        store.DeleteExpiredAsync(prefix + collection, now, storedBefore, limit, cancellationToken);

    public Task<long> SetHoldAsync(
        string collection, IReadOnlyList<string> ids, bool hold, CancellationToken cancellationToken) =>
        store.SetHoldAsync(prefix + collection, ids, hold, cancellationToken);

    public Task<long> SetHoldAsync(string collection, PointFilter filter, bool hold, CancellationToken cancellationToken) =>
        store.SetHoldAsync(prefix + collection, filter, hold, cancellationToken);

    public Task<PointKeyPage> ListKeysAsync(
        string collection, PointFilter filter, string pageToken, CancellationToken cancellationToken) =>
        store.ListKeysAsync(prefix + collection, filter, pageToken, cancellationToken);

    public Task<long> CountAsync(string collection, PointFilter filter, CancellationToken cancellationToken) =>
        store.CountAsync(prefix + collection, filter, cancellationToken);

    public Task<PointPage> ListAsync(
        string collection, PointFilter filter, int pageSize, string pageToken, bool withVectors, CancellationToken cancellationToken) =>
        store.ListAsync(prefix + collection, filter, pageSize, pageToken, withVectors, cancellationToken);

    public Task<IReadOnlyList<IReadOnlyList<ScoredStoredPoint>>> SearchAsync(
        string collection, IReadOnlyList<VectorQuery> queries, SearchSpec spec, CancellationToken cancellationToken) =>
        store.SearchAsync(prefix + collection, queries, spec with { Exact = true }, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await store.DisposeAsync();
        await remove();
    }
}
