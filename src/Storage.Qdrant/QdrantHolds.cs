using System.Collections.Concurrent;
using Embeddings.Primitives;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Legal holds. Qdrant would replace a point on hold like any other, so writes to a collection with holds look first. That a
/// collection has holds is in its metadata: servers that have it in their cache notice it when the entry expires.
/// </summary>
internal sealed class QdrantHolds(
    QdrantCalls calls, CollectionAdmin admin, CollectionCatalog catalog, FilterIndexes indexes, QdrantReads reads)
{
    private const int IdsPerCall = 1000;

    // Only of collections with holds. First in, first out: points are written in the order of the calls.
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _writing = new(StringComparer.Ordinal);

    public async Task<long> SetAsync(
        string collection, IReadOnlyList<string> ids, bool hold, CancellationToken cancellationToken)
    {
        var state = await PrepareAsync(collection, hold, cancellationToken);
        var changed = 0L;
        foreach (var chunk in ids.Select(PointIds.Of).Distinct().Chunk(IdsPerCall))
        {
            var existing = await reads.ExistingAsync(collection, chunk, cancellationToken);
            PointId[] different = [.. existing.Where(point => PointMapper.IsHeld(point.Payload) != hold).Select(point => point.Id)];
            if (different.Length > 0)
            {
                // Unlike a list of ids, a filter may name points that have been deleted since.
                var filter = new Filter { Must = { new Condition { HasId = new() { HasId = { different } } } } };
                await WriteAsync(state, filter, hold, cancellationToken);
                changed += different.Length;
            }
        }
        return changed;
    }

    public async Task<long> SetAsync(
        string collection, PointFilter filter, bool hold, CancellationToken cancellationToken)
    {
        if (filter.OnHold == hold)
        {
            return 0;
        }
        var state = await PrepareAsync(collection, hold, cancellationToken);
        var different = filter with { OnHold = !hold };
        var changed = await reads.CountAsync(state, different, cancellationToken);
        if (changed > 0)
        {
            var matching = QdrantFilters.ToFilter(different, state.ReservedIds)!;
            await indexes.RunAsync(state, matching, () => WriteAsync(state, matching, hold, cancellationToken), cancellationToken);
        }
        return changed;
    }

    /// <summary>
    /// Writes points of a collection with holds if none of them would replace a point on hold; otherwise
    /// FAILED_PRECONDITION. The inner task ends when they are durable.
    /// </summary>
    public async Task<Task> WriteAsync(
        string collection, IReadOnlyList<StoredPoint> points, Func<Task> write, CancellationToken cancellationToken)
    {
        var mutex = _writing.GetOrAdd(collection, _ => new(1));
        await mutex.WaitAsync(cancellationToken);
        try
        {
            if (points.Any(point => point.Payload.OnHold))
            {
                await PrepareAsync(collection, hold: true, cancellationToken);
            }
            // A copy may replace a point on hold by its version on hold.
            foreach (var chunk in points.Where(point => !point.Payload.OnHold).Chunk(IdsPerCall))
            {
                var existing = await reads.ExistingAsync(
                    collection, chunk.Select(point => PointIds.Of(point.Id)).Distinct(), cancellationToken);
                if (existing.FirstOrDefault(point => PointMapper.IsHeld(point.Payload)) is { } held)
                {
                    throw CollectionFaults.OnHold(collection, PointMapper.IdOf(held));
                }
            }
            return write();
        }
        finally
        {
            mutex.Release();
        }
    }

    /// <summary>FAILED_PRECONDITION if a face of the job is on hold and is not among the ids.</summary>
    public async Task RequireNoOtherFacesAsync(
        CollectionState state, string jobId, IEnumerable<Guid> ids, CancellationToken cancellationToken)
    {
        var held = QdrantFilters.OtherFaces(jobId, ids, state.ReservedIds);
        held.Must.Add(QdrantFilters.Held);
        var (points, _) = await reads.KeysAsync(state, held, null, cancellationToken);
        if (points.Count > 0)
        {
            throw CollectionFaults.OnHold(state.Info.Name, PointMapper.IdOf(points[0]));
        }
    }

    private async Task<CollectionState> PrepareAsync(string collection, bool hold, CancellationToken cancellationToken)
    {
        var state = await catalog.RequireAsync(collection, cancellationToken);
        if (!hold || state.HasHolds)
        {
            return state;
        }
        if (!state.HasMetadata)
        {
            throw new Fault(
                FaultKind.FailedPrecondition,
                Reasons.HoldUnsupported,
                $"Collection '{collection}' cannot have points on legal hold: it has no metadata. Use Qdrant 1.16 or newer and "
                + "copy the collection ('embeddings store copy').")
                .With(FaultKeys.Collection, collection);
        }
        await admin.MarkHoldsAsync(collection, cancellationToken);
        catalog.Forget(collection);
        return await catalog.RequireAsync(collection, cancellationToken);
    }

    private Task<bool> WriteAsync(CollectionState state, Filter filter, bool hold, CancellationToken cancellationToken)
    {
        var points = new PointsSelector { Filter = filter };
        var operation = hold
            ? new PointsUpdateOperation
            {
                SetPayload = new() { PointsSelector = points, Payload = { [PayloadKeys.Hold] = true } },
            }
            : new PointsUpdateOperation { DeletePayload = new() { PointsSelector = points, Keys = { PayloadKeys.Hold } } };
        return calls.UpdateAsync(state.Info.Name, [operation], cancellationToken);
    }
}
