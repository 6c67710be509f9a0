using System.Collections.Concurrent;
using Embeddings.Primitives;
using Embeddings.Storage.Qdrant.Wire;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// The batchers of all collections with writes. They are created only for existing collections, so their number is
/// limited.
/// </summary>
internal sealed class UpsertBatchers(
    QdrantCalls calls, CollectionCatalog catalog, QdrantStoreOptions options, TimeProvider time, ILogger log)
    : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Lazy<UpsertBatcher>> _batchers = new(StringComparer.Ordinal);

    public UpsertBatcher Of(string collection) => _batchers.GetOrAdd(
        collection,
        name => new(() => new(
            name,
            calls,
            options,
            time,
            log,
            () => Math.Min(options.MaxUpsertPoints, catalog.Cached(name)?.Limits.MaxUpsertPoints ?? int.MaxValue),
            () => catalog.Forget(name)))).Value;

    public async ValueTask DisposeAsync()
    {
        foreach (var batcher in _batchers.Values)
        {
            await batcher.Value.DisposeAsync();
        }
    }
}

/// <summary>
/// Batches the upserts of one collection. Full batches are sent at once, several in parallel; a partial batch is sent
/// if no upsert is in flight or after the batching delay. A single point is therefore sent at once, and many streams
/// form full upserts.
/// </summary>
internal sealed class UpsertBatcher : IAsyncDisposable
{
    private static readonly TimeSpan MaxShutdownTime = TimeSpan.FromSeconds(5);

    // After a node failed, Qdrant holds the first write to each shard that had a copy there until its cluster has elected
    // a leader and agreed on the loss, which takes seconds. The same write sent again does not wait for that, once Qdrant
    // has failed to reach the lost node, which takes up to 2 seconds.
    private static readonly TimeSpan RepeatAfter = TimeSpan.FromSeconds(0.4);
    private const int MaxAttempts = 10;

    private readonly string _collection;
    private readonly QdrantCalls _calls;
    private readonly QdrantStoreOptions _options;
    private readonly ILogger _log;
    private readonly Func<int> _maxPoints;
    private readonly Action _collectionChanged;
    private readonly Lock _lock = new();
    private readonly UpsertQueue _queue = new();
    private readonly ITimer _timer;
    private readonly CancellationTokenSource _closing = new();
    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TimeProvider _time;

    // Upserts whose points are in flight, and those of them that are not acknowledged yet.
    private int _inFlight;
    private int _unacknowledged;
    private bool _isTimerSet;
    private bool _closed;

    public UpsertBatcher(
        string collection,
        QdrantCalls calls,
        QdrantStoreOptions options,
        TimeProvider time,
        ILogger log,
        Func<int> maxPoints,
        Action collectionChanged)
    {
        _collection = collection;
        _calls = calls;
        _options = options;
        _time = time;
        _log = log;
        _maxPoints = maxPoints;
        _collectionChanged = collectionChanged;
        _timer = time.CreateTimer(
            static batcher => ((UpsertBatcher)batcher!).DelayElapsed(),
            this,
            Timeout.InfiniteTimeSpan,
            Timeout.InfiniteTimeSpan);
    }

    /// <summary>Serializes deletions, which count the points first and delete them afterwards.</summary>
    public SemaphoreSlim Deleting { get; } = new(1);

    /// <summary>
    /// Queues the points in order before it returns; the task completes when they are written. If some are not, the fault has
    /// their indexes.
    /// </summary>
    /// <param name="points">The points.</param>
    /// <param name="cancellationToken">Cancels the wait, and drops the points that have not been sent.</param>
    /// <param name="reportsIndexes">False if the indexes mean nothing to the caller.</param>
    public Task WriteAsync(
        IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken, bool reportsIndexes = true)
    {
        var job = new UpsertJob(points.Count, cancellationToken, reportsIndexes);
        var pending = new PendingPoint[points.Count];
        var now = _time.GetUtcNow();
        for (var i = 0; i < pending.Length; i++)
        {
            var id = PointIds.Of(points[i].Id);
            pending[i] = new(id, PointMapper.Encode(PointMapper.ToPoint(id, points[i], now)), job, i);
        }
        lock (_lock)
        {
            if (_closed)
            {
                throw CollectionFaults.ShuttingDown();
            }
            foreach (var point in pending)
            {
                _queue.Add(point);
            }
            Dispatch(allowPartial: false);
        }
        return job.Task.WaitAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _closed = true;
            Dispatch(allowPartial: true);
            EndIfEmpty();
        }
        _closing.CancelAfter(MaxShutdownTime);
        await _empty.Task;
        await _timer.DisposeAsync();
        _closing.Dispose();
        Deleting.Dispose();
    }

    private void DelayElapsed()
    {
        lock (_lock)
        {
            _isTimerSet = false;
            Dispatch(allowPartial: true);
        }
    }

    // The caller holds the lock.
    private void Dispatch(bool allowPartial)
    {
        var maxPoints = _maxPoints();
        while (_queue.Count > 0 && _unacknowledged < _options.MaxUpsertsInFlight)
        {
            var isFull = _queue.Count >= maxPoints || _queue.Bytes >= _options.MaxUpsertBytes;
            if (!isFull && _unacknowledged > 0 && !allowPartial && !_closed)
            {
                if (!_isTimerSet)
                {
                    _isTimerSet = true;
                    _timer.Change(TimeSpan.FromMilliseconds(_options.MaxUpsertDelayMs), Timeout.InfiniteTimeSpan);
                }
                return;
            }
            var batch = _queue.Take(maxPoints, _options.MaxUpsertBytes);
            if (batch.Count > 0)
            {
                _inFlight++;
                _unacknowledged++;
                _ = Task.Run(() => RunAsync(batch));
            }
        }
    }

    private async Task RunAsync(List<PendingPoint> batch)
    {
        var late = await SendAsync(batch);
        lock (_lock)
        {
            _unacknowledged--;
            Dispatch(allowPartial: false);
        }
        // An attempt that ends late could otherwise overwrite a newer version of a point.
        await late;
        lock (_lock)
        {
            _inFlight--;
            _queue.Completed(batch);
            Dispatch(allowPartial: false);
            EndIfEmpty();
        }
    }

    /// <summary>Sends a batch and completes its jobs. Returns the end of attempts that are still running; never throws.</summary>
    private async Task<Task> SendAsync(IReadOnlyList<PendingPoint> batch)
    {
        try
        {
            var late = await UpsertAsync(batch);
            foreach (var version in batch.SelectMany(point => point.Versions))
            {
                version.Job.PointStored(version.Index);
            }
            return late;
        }
        catch (Fault fault) when (IsRejection(fault) && batch.Count > 1)
        {
            // One invalid point must not fail the others, and the collection may permit only smaller upserts.
            _log.UpsertHalved(batch.Count, fault.Message);
            var half = batch.Count / 2;
            var first = await SendAsync([.. batch.Take(half)]);
            return Task.WhenAll(first, await SendAsync([.. batch.Skip(half)]));
        }
        catch (Exception e)
        {
            // The collection was dropped, or created again with another dimension, by another program.
            if (e is Fault { Kind: FaultKind.NotFound } || (e is Fault rejected && IsRejection(rejected)))
            {
                _collectionChanged();
            }
            var failure = e is OperationCanceledException ? CollectionFaults.ShuttingDown(e) : e;
            foreach (var version in batch.SelectMany(point => point.Versions))
            {
                version.Job.PointFailed(version.Index, failure);
            }
            return Task.CompletedTask;
        }
    }

    /// <summary>
    /// Writes a batch, and sends it again if it takes long after a node failed. Returns the end of the attempts that are
    /// still running.
    /// </summary>
    private async Task<Task> UpsertAsync(IReadOnlyList<PendingPoint> batch)
    {
        var isDurable = _options.Ack == AckLevel.Durable;
        var request = new Wire.UpsertPoints { CollectionName = _collection, Wait = isDurable };
        request.Points.AddRange(batch.Select(point => point.Point));
        var isStored = false;
        var running = new List<Task> { AttemptAsync() };
        for (var started = 1; ;)
        {
            var any = Task.WhenAny(running);
            if (_calls.CanRepeat && started < MaxAttempts && !await EndsWithinAsync(any, RepeatAfter))
            {
                if (_calls.IsFailingOver)
                {
                    running.Add(AttemptAsync());
                    started++;
                }
                continue;
            }
            var ended = await any;
            running.Remove(ended);
            // If one has failed, the others decide.
            if (ended.IsCompletedSuccessfully || running.Count == 0)
            {
                await ended;
                Volatile.Write(ref isStored, true);
                return Task.WhenAll(running.Select(attempt => Task.WhenAny(attempt)));
            }
        }

        Task AttemptAsync() => _calls.RunAsync(
            QdrantCallKind.Write,
            _collection,
            async (node, call) =>
                QdrantFaults.ThrowIfIncomplete((await node.Calls.UpsertAsync(request, call)).Result, !isDurable),
            _closing.Token,
            () => Volatile.Read(ref isStored) || batch.All(point => point.Versions.All(version => version.Job.IsCancelled)));
    }

    private async Task<bool> EndsWithinAsync(Task task, TimeSpan time)
    {
        using var ended = new CancellationTokenSource();
        var first = await Task.WhenAny(task, Task.Delay(time, _time, ended.Token));
        await ended.CancelAsync();
        return first == task;
    }

    private static bool IsRejection(Fault fault) =>
        fault.Kind == FaultKind.InvalidArgument || fault.Reason == Reasons.CollectionRestricted;

    private void EndIfEmpty()
    {
        if (_closed && _inFlight == 0 && _queue.Count == 0)
        {
            _empty.TrySetResult();
        }
    }
}
