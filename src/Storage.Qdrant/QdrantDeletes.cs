using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Deletions. Qdrant does not say how many points it removed, so they are counted first; one deletion at a time in a collection of this server, so that no
/// point is counted twice. What another server does in between may be counted wrong, never deleted wrong.
/// </summary>
internal sealed class QdrantDeletes(QdrantCalls calls, QdrantReads reads, UpsertLanes lanes)
{
    private const int IdsPerCall = 1000;

    public async Task<long> DeleteAsync(string collection, IReadOnlyList<string> ids, CancellationToken cancellationToken)
    {
        var turn = lanes.Of(collection).Deleting;
        await turn.WaitAsync(cancellationToken);
        try
        {
            var deleted = 0L;
            foreach (var some in ids.Select(PointIds.Of).Distinct().Chunk(IdsPerCall))
            {
                var existing = await reads.ExistingAsync(collection, some, cancellationToken);
                if (existing.Count > 0)
                {
                    await DeleteAsync(collection, new PointsSelector { Points = new() { Ids = { existing.Select(id => (PointId)id) } } }, cancellationToken);
                    deleted += existing.Count;
                }
            }
            return deleted;
        }
        finally
        {
            turn.Release();
        }
    }

    public async Task<long> DeleteAsync(CollectionState state, PointFilter filter, CancellationToken cancellationToken)
    {
        var turn = lanes.Of(state.Info.Name).Deleting;
        await turn.WaitAsync(cancellationToken);
        try
        {
            var count = await reads.CountAsync(state, filter, cancellationToken);
            if (count > 0)
            {
                // An empty filter, which is not none, matches every point.
                var matching = QdrantFilters.ToFilter(filter, state.NotUsers) ?? new Filter();
                await DeleteAsync(state.Info.Name, new PointsSelector { Filter = matching }, cancellationToken);
            }
            return count;
        }
        finally
        {
            turn.Release();
        }
    }

    private Task DeleteAsync(string collection, PointsSelector points, CancellationToken cancellationToken)
    {
        var delete = new DeletePoints { CollectionName = collection, Points = points, Wait = true };
        return calls.RunAsync(
            QdrantCallKind.Write,
            collection,
            async (client, call) => UpdateResults.ThrowIfNotCompleted((await client.Points.DeleteAsync(delete, call)).Result),
            cancellationToken);
    }
}
