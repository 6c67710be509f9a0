using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Server.Hosting;
using Embeddings.Storage;

namespace Embeddings.Server.Privacy;

/// <summary>
/// A store that refuses points on the suppression list. At the start it deletes those that it has, for example from a restored
/// backup, and is not ready before.
/// </summary>
internal sealed class SuppressingStore(
    IVectorStore store, SuppressionList list, TimeProvider time, ILogger<SuppressingStore> log) : IVectorStore
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stopping = new();
    private Task _applying = Task.CompletedTask;
    private volatile string? _reason = "Points on the suppression list are being deleted.";

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await store.StartAsync(cancellationToken);
        if (!await TryApplyAsync(cancellationToken))
        {
            // A remote store may become ready later.
            _applying = Task.Run(ApplyLaterAsync, CancellationToken.None);
        }
    }

    public async Task<string?> CheckAsync(CancellationToken cancellationToken) =>
        await store.CheckAsync(cancellationToken) ?? _reason;

    public async Task<string?> CheckWritesAsync(CancellationToken cancellationToken) =>
        await store.CheckWritesAsync(cancellationToken) ?? _reason;

    public ValueTask EnsureCollectionAsync(CollectionSpec spec, CancellationToken cancellationToken) =>
        store.EnsureCollectionAsync(spec, cancellationToken);

    public Task CreateCollectionAsync(
        CollectionSpec spec,
        CollectionSettings settings,
        IReadOnlyList<IndexedAttribute> indexed,
        CancellationToken cancellationToken) =>
        store.CreateCollectionAsync(spec, settings, indexed, cancellationToken);

    public Task<CollectionInfo?> ReadCollectionAsync(string collection, CancellationToken cancellationToken) =>
        store.ReadCollectionAsync(collection, cancellationToken);

    public Task UpdateSettingsAsync(string collection, SettingsChange change, CancellationToken cancellationToken) =>
        store.UpdateSettingsAsync(collection, change, cancellationToken);

    public Task SetIndexedAttributesAsync(
        string collection,
        IReadOnlyList<IndexedAttribute> add,
        IReadOnlyList<IndexedAttribute> remove,
        CancellationToken cancellationToken) =>
        store.SetIndexedAttributesAsync(collection, add, remove, cancellationToken);

    public ValueTask<IReadOnlyDictionary<string, string>> AliasesAsync(CancellationToken cancellationToken) =>
        store.AliasesAsync(cancellationToken);

    public Task UpdateAliasesAsync(
        IReadOnlyList<CollectionAlias> set, IReadOnlyList<string> delete, CancellationToken cancellationToken) =>
        store.UpdateAliasesAsync(set, delete, cancellationToken);

    public ValueTask<CollectionInfo?> FindCollectionAsync(string collection, CancellationToken cancellationToken) =>
        store.FindCollectionAsync(collection, cancellationToken);

    public Task<IReadOnlyList<CollectionInfo>> ListCollectionsAsync(CancellationToken cancellationToken) =>
        store.ListCollectionsAsync(cancellationToken);

    public Task<DeleteCounts> DropCollectionAsync(string collection, IDeletedIds? ids, CancellationToken cancellationToken) =>
        store.DropCollectionAsync(collection, ids, cancellationToken);

    public Task UpsertAsync(string collection, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken) =>
        list.StoreAsync(collection, points, () => store.UpsertAsync(collection, points, cancellationToken));

    public Task<long> ReplaceFacesAsync(
        string collection, string jobId, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken)
    {
        if (list.ContainsJob(collection, jobId))
        {
            throw SuppressionList.Refusal(collection, jobId);
        }
        Task<long>? replaced = null;
        list.StoreAsync(
            collection, points, () => replaced = store.ReplaceFacesAsync(collection, jobId, points, cancellationToken));
        return replaced!;
    }

    public Task<long> UpdateAttributesAsync(
        string collection,
        IReadOnlyList<string> ids,
        Func<StoredPoint, JsonObject?> change,
        CancellationToken cancellationToken) =>
        store.UpdateAttributesAsync(collection, ids, change, cancellationToken);

    public Task<long> UpdateAttributesAsync(
        string collection,
        PointFilter filter,
        Func<StoredPoint, JsonObject?> change,
        CancellationToken cancellationToken) =>
        store.UpdateAttributesAsync(collection, filter, change, cancellationToken);

    public Task<IReadOnlyList<StoredPoint>> GetAsync(
        string collection,
        IReadOnlyList<string> ids,
        bool withPayload,
        bool withVectors,
        ResponseLease? lease,
        CancellationToken cancellationToken) =>
        store.GetAsync(collection, ids, withPayload, withVectors, lease, cancellationToken);

    public Task<PointPage> ListAsync(
        string collection,
        PointFilter filter,
        PointOrder order,
        int pageSize,
        string pageToken,
        bool withVectors,
        CancellationToken cancellationToken) =>
        store.ListAsync(collection, filter, order, pageSize, pageToken, withVectors, cancellationToken);

    public Task<StoredPoint?> GetAsync(string collection, string id, CancellationToken cancellationToken) =>
        store.GetAsync(collection, id, cancellationToken);

    public Task<DeleteCounts> DeleteAsync(
        string collection, IReadOnlyList<string> ids, IDeletedIds? deleted, CancellationToken cancellationToken) =>
        store.DeleteAsync(collection, ids, deleted, cancellationToken);

    public Task<DeleteCounts> DeleteAsync(
        string collection, PointFilter filter, IDeletedIds? deleted, CancellationToken cancellationToken) =>
        store.DeleteAsync(collection, filter, deleted, cancellationToken);

    public Task<long> DeleteExpiredAsync(
        string collection,
        DateTimeOffset now,
        DateTimeOffset? storedBefore,
        int limit,
        CancellationToken cancellationToken) =>
        store.DeleteExpiredAsync(collection, now, storedBefore, limit, cancellationToken);

    public Task<long> SetHoldAsync(
        string collection, IReadOnlyList<string> ids, bool hold, CancellationToken cancellationToken) =>
        store.SetHoldAsync(collection, ids, hold, cancellationToken);

    public Task<long> SetHoldAsync(string collection, PointFilter filter, bool hold, CancellationToken cancellationToken) =>
        store.SetHoldAsync(collection, filter, hold, cancellationToken);

    public Task<PointKeyPage> ListKeysAsync(
        string collection, PointFilter filter, string pageToken, CancellationToken cancellationToken) =>
        store.ListKeysAsync(collection, filter, pageToken, cancellationToken);

    public Task<long> CountAsync(string collection, PointFilter filter, CancellationToken cancellationToken) =>
        store.CountAsync(collection, filter, cancellationToken);

    public Task<PointPage> ListAsync(
        string collection,
        PointFilter filter,
        int pageSize,
        string pageToken,
        bool withVectors,
        CancellationToken cancellationToken) =>
        store.ListAsync(collection, filter, pageSize, pageToken, withVectors, cancellationToken);

    public Task<IReadOnlyList<IReadOnlyList<ScoredStoredPoint>>> SearchAsync(
        string collection, IReadOnlyList<VectorQuery> queries, SearchSpec spec, CancellationToken cancellationToken) =>
        store.SearchAsync(collection, queries, spec, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _applying;
        await store.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task ApplyLaterAsync()
    {
        try
        {
            do
            {
                await Task.Delay(RetryAfter, time, _stopping.Token);
            }
            while (!await TryApplyAsync(_stopping.Token));
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    private async Task<bool> TryApplyAsync(CancellationToken cancellationToken)
    {
        try
        {
            var deleted = list.Count == 0 ? 0 : await ApplyAsync(cancellationToken);
            if (deleted > 0)
            {
                ServerLog.SuppressedPointsDeleted(log, deleted);
            }
            _reason = null;
            return true;
        }
        catch (Fault fault) when (fault.Kind is FaultKind.Unavailable or FaultKind.DeadlineExceeded)
        {
            return false;
        }
    }

    private async Task<long> ApplyAsync(CancellationToken cancellationToken)
    {
        var deleted = 0L;
        foreach (var collection in await store.ListCollectionsAsync(cancellationToken))
        {
            // A job has many points in a row.
            var (job, isSuppressed) = ("", false);
            var token = "";
            do
            {
                var page = await store.ListKeysAsync(collection.Name, PointFilter.All, token, cancellationToken);
                var found = new List<string>();
                foreach (var key in page.Keys)
                {
                    if (key.JobId != job)
                    {
                        (job, isSuppressed) = (key.JobId, list.ContainsJob(collection.Name, key.JobId));
                    }
                    if (isSuppressed || list.ContainsPoint(collection.Name, key.Id))
                    {
                        found.Add(key.Id);
                    }
                }
                if (found.Count > 0)
                {
                    deleted += await store.DeleteAsync(collection.Name, found, cancellationToken);
                }
                token = page.NextPageToken;
            }
            while (token.Length > 0);
        }
        return deleted;
    }
}
