using Embeddings.Primitives;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Writes to one collection, grouped: full groups go at once, several side by side; one that is not full goes when nothing is on its way, or when it has
/// waited long enough. So a lone point goes at once, and many streams fill their upserts by themselves.
/// </summary>
internal sealed class UpsertLane : IAsyncDisposable
{
    private static readonly TimeSpan LongestGoodbye = TimeSpan.FromSeconds(5);

    private readonly string _collection;
    private readonly QdrantCalls _calls;
    private readonly QdrantStoreOptions _options;
    private readonly ILogger _log;
    private readonly Action _changed;
    private readonly Lock _lock = new();
    private readonly UpsertQueue _queue = new();
    private readonly ITimer _timer;
    private readonly CancellationTokenSource _closing = new();
    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _flights;
    private bool _timed;
    private bool _closed;

    public UpsertLane(string collection, QdrantCalls calls, QdrantStoreOptions options, TimeProvider time, ILogger log, Action changed)
    {
        (_collection, _calls, _options, _log, _changed) = (collection, calls, options, log, changed);
        _timer = time.CreateTimer(static lane => ((UpsertLane)lane!).WaitedLongEnough(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Held by deletions, which count first and delete then.</summary>
    public SemaphoreSlim Deleting { get; } = new(1);

    /// <summary>Takes the points, in order, before it returns; the task ends when they are written.</summary>
    public Task WriteAsync(IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken)
    {
        var job = new UpsertJob(points.Count, cancellationToken);
        var pending = new PendingPoint[points.Count];
        for (var i = 0; i < pending.Length; i++)
        {
            var id = PointIds.Of(points[i].Id);
            var point = PointWriter.ToPoint(id, points[i]);
            pending[i] = new(id, point, PointWriter.SizeOf(points[i], point), job);
        }
        lock (_lock)
        {
            if (_closed)
            {
                throw new Fault(FaultKind.Unavailable, Reasons.ShuttingDown, "the store is closing");
            }
            foreach (var point in pending)
            {
                _queue.Add(point);
            }
            Pump(evenPartial: false);
        }
        return job.Task.WaitAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _closed = true;
            Pump(evenPartial: true);
            EndIfEmpty();
        }
        _closing.CancelAfter(LongestGoodbye);
        await _empty.Task;
        await _timer.DisposeAsync();
        _closing.Dispose();
        Deleting.Dispose();
    }

    private void WaitedLongEnough()
    {
        lock (_lock)
        {
            _timed = false;
            Pump(evenPartial: true);
        }
    }

    // Under the lock.
    private void Pump(bool evenPartial)
    {
        while (_queue.Count > 0 && _flights < _options.MaxUpsertsInFlight)
        {
            if (_queue.Count < _options.MaxUpsertPoints && _queue.Bytes < _options.MaxUpsertBytes && _flights > 0 && !evenPartial && !_closed)
            {
                if (!_timed)
                {
                    _timed = true;
                    _timer.Change(TimeSpan.FromMilliseconds(_options.MaxUpsertDelayMs), Timeout.InfiniteTimeSpan);
                }
                return;
            }
            var group = _queue.Take(_options.MaxUpsertPoints, _options.MaxUpsertBytes);
            if (group.Count > 0)
            {
                _flights++;
                _ = Task.Run(() => FlyAsync(group));
            }
        }
    }

    private async Task FlyAsync(List<PendingPoint> group)
    {
        await SendAsync(group);
        lock (_lock)
        {
            _flights--;
            _queue.Landed(group);
            Pump(evenPartial: false);
            EndIfEmpty();
        }
    }

    /// <summary>Sends a group and tells its callers; never fails itself.</summary>
    private async Task SendAsync(IReadOnlyList<PendingPoint> group)
    {
        try
        {
            var request = new UpsertPoints { CollectionName = _collection, Wait = _options.Ack == AckLevel.Durable };
            request.Points.AddRange(group.Select(point => point.Point));
            await _calls.RunAsync(
                QdrantCallKind.Write,
                _collection,
                async (client, call) =>
                    UpdateResults.ThrowIfNotCompleted((await client.Points.UpsertAsync(request, call)).Result, _options.Ack == AckLevel.Accepted),
                _closing.Token,
                () => group.All(point => point.Versions.All(version => version.Job.IsCancelled)));
            foreach (var version in group.SelectMany(point => point.Versions))
            {
                version.Job.PointStored();
            }
        }
        catch (Fault fault) when (fault.Kind == FaultKind.InvalidArgument && group.Count > 1)
        {
            // One bad point must not fail its neighbours.
            _log.UpsertHalved(group.Count, fault.Message);
            var half = group.Count / 2;
            await SendAsync([.. group.Take(half)]);
            await SendAsync([.. group.Skip(half)]);
        }
        catch (Exception e)
        {
            // Dropped, or made anew with another dimension, by somebody else.
            if (e is Fault { Kind: FaultKind.NotFound or FaultKind.InvalidArgument })
            {
                _changed();
            }
            var failure = e is OperationCanceledException ? new Fault(FaultKind.Unavailable, Reasons.ShuttingDown, "the store is closing", inner: e) : e;
            foreach (var version in group.SelectMany(point => point.Versions))
            {
                version.Job.Fail(failure);
            }
        }
    }

    private void EndIfEmpty()
    {
        if (_closed && _flights == 0 && _queue.Count == 0)
        {
            _empty.TrySetResult();
        }
    }
}
