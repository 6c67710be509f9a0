using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Deletes points that are not on legal hold. Qdrant does not return the number of points removed, so they are counted first;
/// this server runs one deletion at a time per collection, so that no point is counted twice. Concurrent writes of other servers
/// may make the count inexact, but never the deletion.
/// </summary>
internal sealed class QdrantDeletes(
    QdrantCalls calls, FilterIndexes indexes, QdrantReads reads, UpsertBatchers batchers)
{
    private const int IdsPerCall = 1000;

    public Task<DeleteCounts> DeleteAsync(
        string collection, IReadOnlyList<string> ids, IDeletedIds? deleted, CancellationToken cancellationToken) =>
        OneAtATimeAsync(
            collection,
            async () =>
            {
                deleted?.Begin();
                var counts = default(DeleteCounts);
                foreach (var chunk in ids.Select(PointIds.Of).Distinct().Chunk(IdsPerCall))
                {
                    var existing = await reads.ExistingAsync(collection, chunk, cancellationToken);
                    counts += await DeleteAsync(collection, existing, deleted, cancellationToken);
                }
                return counts;
            },
            cancellationToken);

    public Task<DeleteCounts> DeleteAsync(
        CollectionState state, PointFilter filter, IDeletedIds? deleted, CancellationToken cancellationToken) =>
        OneAtATimeAsync<DeleteCounts>(
            state.Info.Name,
            async () =>
            {
                deleted?.Begin();
                var held = state.HasHolds && filter.OnHold is not false
                    ? await reads.CountAsync(state, filter with { OnHold = true }, cancellationToken)
                    : 0;
                if (filter.OnHold is true)
                {
                    return new(0, held);
                }
                // In strict mode the condition would require an index.
                var free = state.HasHolds || !state.Limits.NeedsIndexes ? filter with { OnHold = false } : filter;
                return deleted is null
                    ? new(await DeleteMatchingAsync(state, free, cancellationToken), held)
                    : new(await DeletePagesAsync(state, free, deleted, cancellationToken), held);
            },
            cancellationToken);

    /// <summary>Deletes points whose time is not later, at most a number of them, and returns their number.</summary>
    public Task<long> DeleteExpiredAsync(
        CollectionState state, string key, DateTimeOffset time, long limit, CancellationToken cancellationToken) =>
        OneAtATimeAsync(
            state.Info.Name,
            async () =>
            {
                var expired = QdrantFilters.NotAfter(key, time, state.ReservedIds);
                var removed = 0L;
                while (removed < limit)
                {
                    // From the start: the points of the last page are gone.
                    var (ids, _) = await reads.IdsAsync(state, expired, null, cancellationToken);
                    if (ids.Count == 0)
                    {
                        break;
                    }
                    // Both, so that a point that was replaced or put on hold in between stays.
                    var filter = expired.Clone();
                    filter.Must.Add(new Condition { HasId = new() { HasId = { ids } } });
                    await DeleteAsync(state.Info.Name, new PointsSelector { Filter = filter }, cancellationToken);
                    removed += ids.Count;
                }
                return removed;
            },
            cancellationToken);

    /// <summary>Deletes the points that are selected.</summary>
    public Task<UpdateStatus> DeleteAsync(string collection, PointsSelector points, CancellationToken cancellationToken)
    {
        var delete = new DeletePoints { CollectionName = collection, Points = points, Wait = true };
        return calls.RunAsync(
            QdrantCallKind.Write,
            collection,
            async (node, call) => QdrantFaults.ThrowIfIncomplete((await node.Client.Points.DeleteAsync(delete, call)).Result),
            cancellationToken);
    }

    private async Task<long> DeleteMatchingAsync(
        CollectionState state, PointFilter filter, CancellationToken cancellationToken)
    {
        var count = await reads.CountAsync(state, filter, cancellationToken);
        if (count > 0)
        {
            // An empty filter, unlike a missing one, matches every point.
            var matching = QdrantFilters.ToFilter(filter, state.ReservedIds) ?? new Filter();
            await indexes.RunAsync(
                state,
                matching,
                () => DeleteAsync(state.Info.Name, new PointsSelector { Filter = matching }, cancellationToken),
                cancellationToken);
        }
        return count;
    }

    private async Task<long> DeletePagesAsync(
        CollectionState state, PointFilter filter, IDeletedIds deleted, CancellationToken cancellationToken)
    {
        var matching = QdrantFilters.ToFilter(filter, state.ReservedIds);
        var removed = 0L;
        PointId? next = null;
        do
        {
            (var points, next) = await reads.KeysAsync(state, matching, next, cancellationToken);
            removed += (await DeleteAsync(state.Info.Name, points, deleted, cancellationToken)).Deleted;
        }
        while (next is not null);
        return removed;
    }

    private async Task<DeleteCounts> DeleteAsync(
        string collection, IReadOnlyList<RetrievedPoint> points, IDeletedIds? deleted, CancellationToken cancellationToken)
    {
        var free = points.Where(point => !PointMapper.IsHeld(point.Payload)).ToList();
        if (free.Count > 0)
        {
            var ids = new PointsIdsList { Ids = { free.Select(point => point.Id) } };
            await DeleteAsync(collection, new PointsSelector { Points = ids }, cancellationToken);
            free.ForEach(point => deleted?.Add(PointMapper.IdOf(point)));
        }
        return new(free.Count, points.Count - free.Count);
    }

    private async Task<T> OneAtATimeAsync<T>(string collection, Func<Task<T>> work, CancellationToken cancellationToken)
    {
        var mutex = batchers.Of(collection).Deleting;
        await mutex.WaitAsync(cancellationToken);
        try
        {
            return await work();
        }
        finally
        {
            mutex.Release();
        }
    }
}
