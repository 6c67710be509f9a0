using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Deletes points. Qdrant does not return the number of points removed, so they are counted first; this server runs one
/// deletion at a time per collection, so that no point is counted twice. Concurrent writes of other servers may make
/// the count inexact, but never the deletion.
/// </summary>
internal sealed class QdrantDeletes(
    QdrantCalls calls, FilterIndexes indexes, QdrantReads reads, UpsertBatchers batchers)
{
    private const int IdsPerCall = 1000;

    public async Task<long> DeleteAsync(string collection, IReadOnlyList<string> ids, CancellationToken cancellationToken)
    {
        var mutex = batchers.Of(collection).Deleting;
        await mutex.WaitAsync(cancellationToken);
        try
        {
            var deleted = 0L;
            foreach (var chunk in ids.Select(PointIds.Of).Distinct().Chunk(IdsPerCall))
            {
                var existing = await reads.ExistingAsync(collection, chunk, cancellationToken);
                if (existing.Count > 0)
                {
                    var points = new PointsIdsList { Ids = { existing.Select(id => (PointId)id) } };
                    await DeleteAsync(collection, new PointsSelector { Points = points }, cancellationToken);
                    deleted += existing.Count;
                }
            }
            return deleted;
        }
        finally
        {
            mutex.Release();
        }
    }

    public async Task<long> DeleteAsync(CollectionState state, PointFilter filter, CancellationToken cancellationToken)
    {
        var mutex = batchers.Of(state.Info.Name).Deleting;
        await mutex.WaitAsync(cancellationToken);
        try
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
        finally
        {
            mutex.Release();
        }
    }

    /// <summary>Deletes the points that are selected.</summary>
    public Task<UpdateStatus> DeleteAsync(string collection, PointsSelector points, CancellationToken cancellationToken)
    {
        var delete = new DeletePoints { CollectionName = collection, Points = points, Wait = true };
        return calls.RunAsync(
            QdrantCallKind.Write,
            collection,
            async (client, call) => QdrantFaults.ThrowIfIncomplete((await client.Points.DeleteAsync(delete, call)).Result),
            cancellationToken);
    }
}
