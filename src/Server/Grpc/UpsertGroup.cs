using Embeddings.Primitives;
using Embeddings.Storage;

namespace Embeddings.Server.Grpc;

/// <summary>
/// Points of one stream message for one collection, which are written together: one write costs less than one per point. If an
/// invalid one makes the write fail, they are written one by one, so that it fails alone. If only some are stored, only the
/// others fail.
/// </summary>
/// <param name="store">The store.</param>
/// <param name="collection">The collection, which exists.</param>
/// <param name="dimension">Dimension of the vectors.</param>
/// <param name="model">The model that the items name, or empty.</param>
internal sealed class UpsertGroup(IVectorStore store, string collection, int dimension, string model)
{
    private readonly List<StoredPoint> _points = [];
    // Completed by WriteAsync, on a thread of its own work item: the points' continuations, which are short, run there one after
    // the other instead of as a work item each.
    private readonly TaskCompletionSource _written = new();

    // Writes of single points, in their order; null if all were written together.
    private Task[]? _single;

    public int Count => _points.Count;

    /// <summary>True if an item of these properties belongs to the group; its collection has been ensured then.</summary>
    public bool Fits(string name, int itemDimension, string itemModel) =>
        dimension == itemDimension && collection == name && model == itemModel;

    /// <summary>Adds a point; the task completes when it is durable.</summary>
    public Task AddAsync(StoredPoint point)
    {
        _points.Add(point);
        return WrittenAsync(_points.Count - 1);
    }

    /// <summary>Passes the points to the store before it returns. Never throws: the points' tasks do.</summary>
    public async Task WriteAsync(CancellationToken cancellationToken)
    {
        try
        {
            await store.UpsertAsync(collection, _points, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            _written.SetResult();
        }
        catch (Fault fault) when (_points.Count > 1 && IsOfOnePoint(fault))
        {
            // In order: the later of two points with the same id wins.
            _single = [.. _points.Select(point => UpsertAsync(point, cancellationToken))];
            _written.SetResult();
        }
        catch (Fault fault) when (NotStored(fault) is { } notStored)
        {
            var own = fault.Without(FaultKeys.NotStored);
            _single = [.. notStored.Select(isMissing => isMissing ? Task.FromException(own) : Task.CompletedTask)];
            _written.SetResult();
        }
        catch (Exception e)
        {
            _written.SetException(e);
        }
    }

    private static bool IsOfOnePoint(Fault fault) =>
        fault.Kind is FaultKind.InvalidArgument or FaultKind.FailedPrecondition or FaultKind.ResourceExhausted;

    // The indexes mean nothing to the caller, whose items may be in several messages.
    private bool[]? NotStored(Fault fault) =>
        fault.Metadata.TryGetValue(FaultKeys.NotStored, out var indexes) ? IndexRanges.Parse(indexes, _points.Count) : null;

    private async Task WrittenAsync(int index)
    {
        await _written.Task;
        if (_single is { } single)
        {
            await single[index];
        }
    }

    private async Task UpsertAsync(StoredPoint point, CancellationToken cancellationToken) =>
        await store.UpsertAsync(collection, [point], cancellationToken);
}
