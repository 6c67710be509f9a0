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
/// <param name="order">Held while points are passed to the store; one for all groups of a stream.</param>
internal sealed class UpsertGroup(IVectorStore store, string collection, int dimension, string model, Lock order)
{
    private readonly List<StoredPoint> _points = [];
    // Completed by WriteAsync, on a thread of its own work item: the points' continuations, which are short, run there one after
    // the other instead of as a work item each.
    private readonly TaskCompletionSource _written = new();

    // Outcomes of the points in their order; null if all were written together.
    private Task[]? _single;
    // The group that was passed to the store after this one, or null.
    private UpsertGroup? _next;

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
    /// <param name="previous">The stream's group before this one, or null.</param>
    /// <param name="cancellationToken">Canceled if the responses can no longer be sent.</param>
    public async Task WriteAsync(UpsertGroup? previous, CancellationToken cancellationToken)
    {
        try
        {
            Task write;
            lock (order)
            {
                previous?._next = this;
                write = store.UpsertAsync(collection, _points, cancellationToken);
            }
            await write.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            _written.SetResult();
        }
        catch (Fault fault) when (_points.Count > 1 && IsOfOnePoint(fault))
        {
            var single = new Task[_points.Count];
            for (var i = single.Length - 1; i >= 0; i--)
            {
                single[i] = UpsertAloneAsync(i, single, cancellationToken);
            }
            _single = single;
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

    // The later of two points with the same id wins, also if it is in a group that was passed to the store before the write of
    // this one failed: a point is written alone only if no later one with its id has been stored. The later one's success is this
    // one's, which it replaced.
    private async Task UpsertAloneAsync(int index, Task[] single, CancellationToken cancellationToken)
    {
        var (group, after) = (this, index);
        while (true)
        {
            Task outcome;
            bool isLater;
            lock (order)
            {
                isLater = FindLater(_points[index].Id, ref group, ref after);
                outcome = !isLater ? store.UpsertAsync(collection, [_points[index]], cancellationToken)
                    : group == this ? single[after]
                    : group.WrittenAsync(after);
            }
            try
            {
                await outcome;
                return;
            }
            catch (Exception) when (isLater)
            {
                // Not replaced: the next later one counts, or this one is written.
            }
        }
    }

    // Moves to the next later point with the id that has been passed to the store.
    private bool FindLater(string id, ref UpsertGroup group, ref int index)
    {
        for (var (at, i) = ((UpsertGroup?)group, index + 1); at is not null; (at, i) = (at._next, 0))
        {
            var found = at.Holds(collection) ? at._points.FindIndex(i, point => point.Id == id) : -1;
            if (found >= 0)
            {
                (group, index) = (at, found);
                return true;
            }
        }
        return false;
    }

    private bool Holds(string name) => collection == name;
}
