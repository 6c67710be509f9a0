using Embeddings.Core.Inference;
using Embeddings.Primitives;

namespace Embeddings.Core.Batching;

/// <summary>
/// Collects the items of many callers into batches. The queue alone owns its state, under one lock:
/// <list type="number">
/// <item>a caller reserves a place in the open batch, writes its input there and commits;</item>
/// <item>a full batch is closed and waits its turn; the next caller opens another, or waits for a tensor to come back;</item>
/// <item>a thread that is free takes the oldest closed batch, else closes the open one as it is;</item>
/// <item>after the run the tensor comes back, and callers that wait are served in order.</item>
/// </list>
/// There is no timer unless <see cref="BatchingOptions.MaxBatchDelay"/> is set: a batch forms while the one before it runs.
/// <see cref="BatchSizer"/> decides at how many items a batch is full.
/// If the model has single-threaded runs, as many full batches as those run concurrently, one thread each: every processor
/// has work and none is shared. Fewer run one after the other with all threads, so that each finishes as soon as possible;
/// but a batch that is half full joins single-threaded runs that leave processors idle.
/// </summary>
internal sealed class BatchQueue : IDisposable
{
    private readonly Lock _lock = new();
    private readonly TimeSpan _delay;
    private readonly BatchPool _batches;
    private readonly Queue<Batch> _closed = new();
    private readonly LinkedList<TaskCompletionSource<BatchItem>> _waiters = new();
    // Idle threads. The last to arrive is woken first: its caches are still warm.
    private readonly List<SemaphoreSlim> _sleepers = [];
    private readonly RunRule _runs;
    private Batch? _open;
    private bool _stopping;
    private bool _disposed;

    public BatchQueue(IEmbeddingSession session, BatchingOptions options, TimeProvider time)
    {
        _delay = options.MaxBatchDelay;
        _runs = new RunRule(session.MultiThreadedRuns, session.SingleThreadedRuns);
        Time = time;
        // One in each run, one waiting to be next, one open: enough that no run waits for callers, and no more. Of
        // single-threaded runs one is always about to end.
        _batches = new BatchPool(session, Math.Max(session.MultiThreadedRuns + 2, session.SingleThreadedRuns + 1));
    }

    public TimeProvider Time { get; }

    // True if Take has something to do: a batch to return, or an open one to close or to keep open for its delay.
    private bool CanTake => _closed.TryPeek(out var oldest)
        ? !oldest.IsFilling && (_runs.MayRunMultiThreaded || _runs.MayRunSingleThreaded(_closed.Count))
        : _open is { FirstCommitted: not 0 } open && (_runs.MayRunMultiThreaded || (_runs.MayJoin && open.IsHalfFilled));

    /// <summary>Reserves a place in a batch, at once or when a tensor comes back.</summary>
    public ValueTask<BatchItem> ReserveAsync(CancellationToken cancellationToken)
    {
        LinkedListNode<TaskCompletionSource<BatchItem>> waiter;
        lock (_lock)
        {
            if (_stopping)
            {
                return ValueTask.FromException<BatchItem>(Stopping());
            }
            if (_waiters.Count == 0 && TryReserve() is { } item)
            {
                return ValueTask.FromResult(item);
            }
            waiter = _waiters.AddLast(new TaskCompletionSource<BatchItem>(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        return WaitAsync(waiter, cancellationToken);
    }

    /// <summary>Marks a reserved place as committed or abandoned.</summary>
    /// <param name="item">The place.</param>
    /// <param name="take">
    /// True if the caller can run a batch on its own thread. The batch is then taken and returned if the item is alone in it
    /// and nothing else runs or waits.
    /// </param>
    public Batch? Filled(BatchItem item, bool take = false)
    {
        lock (_lock)
        {
            // Only the first item of an open batch, the one that makes it half full and the last of a closed one change what
            // Take finds.
            var mayWake = item.Batch.Fill(item) || (item.Batch != _open && !item.Batch.IsFilling);
            if (_disposed)
            {
                Free(item.Batch);
                return null;
            }
            var isAlone = item.Batch == _open && _open.Reserved == 1 && _closed.Count == 0 && _runs.IsIdle;
            if (take && isAlone && !_stopping && _delay == TimeSpan.Zero)
            {
                _open = null;
                item.Batch.Slot = _runs.Begin(singleThreaded: false);
                return item.Batch;
            }
            if (mayWake)
            {
                Wake();
            }
            return null;
        }
    }

    /// <summary>Blocks until there is a batch to run with all inputs complete. Null once the queue stops.</summary>
    public Batch? Take()
    {
        // Not disposed: another thread may still be releasing it. Without a wait handle it holds nothing but memory.
        var sleeper = new SemaphoreSlim(0);
        while (true)
        {
            TimeSpan remaining;
            lock (_lock)
            {
                _sleepers.Remove(sleeper);
                if (_stopping)
                {
                    return null;
                }
                if (TryTake(out remaining) is { } batch)
                {
                    Wake();
                    return batch;
                }
                _sleepers.Add(sleeper);
            }
            sleeper.Wait(remaining);
        }
    }

    /// <summary>Returns a batch that was taken, after its run.</summary>
    public void Return(Batch batch)
    {
        lock (_lock)
        {
            _runs.End(batch.Slot);
            _batches.Return(batch, _runs.IsForLoad(batch.Slot));
            while (_waiters.First is { } waiter && TryReserve() is { } item)
            {
                _waiters.RemoveFirst();
                waiter.Value.SetResult(item);
            }
            Wake();
        }
    }

    /// <summary>Stops the queue: no more places and no more batches. Items that wait fail with UNAVAILABLE.</summary>
    public void Stop()
    {
        List<Batch> waiting;
        lock (_lock)
        {
            _stopping = true;
            waiting = _open is null ? [.. _closed] : [.. _closed, _open];
            foreach (var waiter in _waiters)
            {
                waiter.SetException(Stopping());
            }
            _waiters.Clear();
            _sleepers.ForEach(static sleeper => sleeper.Release());
        }
        foreach (var batch in waiting)
        {
            foreach (var item in batch.Compact())
            {
                item.TrySetException(Stopping());
            }
        }
    }

    /// <summary>
    /// Frees the tensors; only after <see cref="Stop"/>, with no batch taken. A caller may still be writing its input, so the
    /// tensor of its batch is freed when the last of them is done.
    /// </summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            List<Batch> left = _open is null ? [.. _closed] : [.. _closed, _open];
            left.ForEach(Free);
            _batches.Dispose();
            _open = null;
            _closed.Clear();
        }
    }

    private static void Free(Batch batch)
    {
        if (!batch.IsFilling)
        {
            batch.Tensor.Dispose();
        }
    }

    private static Fault Stopping() => new(
        FaultKind.Unavailable,
        Reasons.ShuttingDown,
        "The model is being unloaded; try again.",
        retryAfter: TimeSpan.FromSeconds(1));

    private async ValueTask<BatchItem> WaitAsync(
        LinkedListNode<TaskCompletionSource<BatchItem>> waiter, CancellationToken cancellationToken)
    {
        await using var registration = cancellationToken.UnsafeRegister(
            static (state, token) =>
            {
                var (queue, waiter) = ((BatchQueue, LinkedListNode<TaskCompletionSource<BatchItem>>))state!;
                queue.Cancel(waiter, token);
            },
            (this, waiter));
        return await waiter.Value.Task;
    }

    // Null if no batch can run yet; then it is called again after the remaining time at the latest, or when woken.
    private Batch? TryTake(out TimeSpan remaining)
    {
        remaining = Timeout.InfiniteTimeSpan;
        if (!CanTake)
        {
            return null;
        }
        var singleThreaded = _runs.MayRunSingleThreaded(_closed.Count);
        if (_open is not null && _closed.Count == 0)
        {
            var left = _delay == TimeSpan.Zero ? TimeSpan.Zero : _delay - Time.GetElapsedTime(_open.FirstCommitted);
            if (left > TimeSpan.Zero)
            {
                remaining = left;
                return null;
            }
            // No more items may enter; those inside are only laying out pixels, which takes microseconds.
            _closed.Enqueue(_open);
            _open = null;
            if (_closed.Peek().IsFilling)
            {
                return null;
            }
        }
        var batch = _closed.Dequeue();
        batch.Slot = _runs.Begin(singleThreaded);
        return batch;
    }

    private BatchItem? TryReserve()
    {
        _open ??= _batches.TryOpen();
        if (_open is null)
        {
            return null;
        }
        var item = _open.Reserve(this);
        if (_open.IsFull)
        {
            _closed.Enqueue(_open);
            _open = null;
            // It may be the one that single-threaded runs were waiting for, though another batch is the next to run.
            Wake();
        }
        return item;
    }

    // Called whenever what Take finds may have changed. One thread is enough: it checks everything, and wakes the next if
    // there is more to do.
    private void Wake()
    {
        if (CanTake && _sleepers.Count > 0)
        {
            _sleepers[^1].Release();
            _sleepers.RemoveAt(_sleepers.Count - 1);
        }
    }

    private void Cancel(LinkedListNode<TaskCompletionSource<BatchItem>> waiter, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (waiter.List is not null)
            {
                _waiters.Remove(waiter);
                waiter.Value.SetCanceled(cancellationToken);
            }
        }
    }
}
