using Embeddings.Core.Inference;
using Embeddings.Primitives;

namespace Embeddings.Core.Batching;

/// <summary>
/// Where many callers become one run. The queue alone owns its state, under one lock:
/// <list type="number">
/// <item>a caller reserves a place in the open batch, writes its input there and commits;</item>
/// <item>a full batch is closed and waits its turn; the next caller opens another, or waits for a tensor to come back;</item>
/// <item>a session that is free takes the oldest closed batch, else closes the open one as it is;</item>
/// <item>after the run the tensor comes back, and callers that wait are served in their order.</item>
/// </list>
/// There is no timer (unless <see cref="BatchingOptions.MaxBatchDelay"/> says so): a batch forms while the one before it runs. <see cref="BatchSizer"/> says at
/// how many items it is full.
/// Where the model has narrow runs, as many full batches as those go on at once, one thread each: every processor has work and none is shared. Fewer go
/// one after the other with all threads, so that each is over as soon as can be; but what is half full joins narrow runs that leave processors idle.
/// </summary>
internal sealed class BatchQueue : IDisposable
{
    private readonly Lock _lock = new();
    private readonly TimeSpan _delay;
    private readonly BatchPool _batches;
    private readonly Queue<Batch> _closed = new();
    private readonly LinkedList<TaskCompletionSource<BatchItem>> _waiters = new();
    private Batch? _open;
    // Threads with nothing to do. The last to come is woken first: its caches are warm still.
    private readonly List<SemaphoreSlim> _sleepers = [];
    private readonly RunRule _runs;
    private bool _stopping;

    public BatchQueue(IEmbeddingModel model, BatchingOptions options, TimeProvider time)
    {
        _delay = options.MaxBatchDelay;
        _runs = new RunRule(model.Sessions, model.NarrowRuns);
        Time = time;
        // One in each run, one waiting to be next, one open: enough that no run waits for callers, and no more. Of narrow runs one is always about to end.
        _batches = new BatchPool(model, Math.Max(model.Sessions + 2, model.NarrowRuns + 1));
    }

    public TimeProvider Time { get; }

    /// <summary>Whether a batch stands open with someone in it; may have changed by the time it is told.</summary>
    public bool IsOpen => Volatile.Read(ref _open) is { Reserved: > 0 };

    // Whether there is something to do in Take: a batch to return, or an open one to close or to wait for company with.
    private bool CanTake => _closed.TryPeek(out var oldest)
        ? !oldest.IsFilling && (_runs.MayBeWide || _runs.MayBeNarrow(_closed.Count))
        : _open is { FirstCommitted: not 0 } open && (_runs.MayBeWide || (_runs.MayJoin && open.IsHalfFilled));

    /// <summary>A place in a batch, at once or when a tensor comes back.</summary>
    public async ValueTask<BatchItem> ReserveAsync(CancellationToken cancellationToken)
    {
        LinkedListNode<TaskCompletionSource<BatchItem>> waiter;
        lock (_lock)
        {
            if (_stopping)
            {
                throw Stopping();
            }
            if (_waiters.Count == 0 && TryReserve() is { } item)
            {
                return item;
            }
            waiter = _waiters.AddLast(new TaskCompletionSource<BatchItem>(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        await using (cancellationToken.UnsafeRegister(static (state, _) => ((Action)state!)(), () => GiveUp(waiter, cancellationToken)))
        {
            return await waiter.Value.Task;
        }
    }

    /// <summary>
    /// A reserved place's input is complete, or never will be. Where its caller can run a batch itself, <paramref name="take"/>, and the item is alone while
    /// nothing else goes on or waits: the batch, taken; else null.
    /// </summary>
    public Batch? Filled(BatchItem item, bool take = false)
    {
        lock (_lock)
        {
            // Only the first of an open batch, the one that makes it half full and the last of a closed one change what Take finds.
            var mayWake = item.Batch.Fill(item) || (item.Batch != _open && !item.Batch.IsFilling);
            if (take && !_stopping && _delay == TimeSpan.Zero && item.Batch == _open && _open.Reserved == 1 && _closed.Count == 0 && _runs.IsIdle)
            {
                _open = null;
                item.Batch.Slot = _runs.Begin(narrow: false);
                return item.Batch;
            }
            if (mayWake)
            {
                Wake();
            }
            return null;
        }
    }

    /// <summary>Blocks until there is a batch to run, all its inputs complete. Null once the queue stops.</summary>
    public Batch? Take()
    {
        // Not disposed: whoever wakes it may be at it still. Without a wait handle it holds nothing but memory.
        var sleeper = new SemaphoreSlim(0);
        while (true)
        {
            TimeSpan rest;
            lock (_lock)
            {
                _sleepers.Remove(sleeper);
                if (_stopping)
                {
                    return null;
                }
                if (TryTake(out rest) is { } batch)
                {
                    Wake();
                    return batch;
                }
                _sleepers.Add(sleeper);
            }
            sleeper.Wait(rest);
        }
    }

    /// <summary>Gives a taken batch's tensor back.</summary>
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

    /// <summary>Stops: no more places, nothing more to take. What waits fails with UNAVAILABLE.</summary>
    public void Stop()
    {
        List<Batch> left;
        lock (_lock)
        {
            _stopping = true;
            left = _open is null ? [.. _closed] : [.. _closed, _open];
            foreach (var waiter in _waiters)
            {
                waiter.SetException(Stopping());
            }
            _waiters.Clear();
            _sleepers.ForEach(static sleeper => sleeper.Release());
        }
        foreach (var batch in left)
        {
            foreach (var item in batch.Compact())
            {
                item.TrySetException(Stopping());
            }
        }
    }

    /// <summary>Frees the tensors; only after <see cref="Stop"/>, with no batch taken.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _open?.Tensor.Dispose();
            foreach (var batch in _closed)
            {
                batch.Tensor.Dispose();
            }
            _batches.Dispose();
            _open = null;
            _closed.Clear();
        }
    }

    private static Fault Stopping() => new(FaultKind.Unavailable, Reasons.ShuttingDown, "the model is being unloaded; try again", retryAfter: TimeSpan.FromSeconds(1));

    // Null where there is none to run yet; then look again after that time at the latest, or when woken.
    private Batch? TryTake(out TimeSpan rest)
    {
        rest = Timeout.InfiniteTimeSpan;
        if (!CanTake)
        {
            return null;
        }
        var isNarrow = _runs.MayBeNarrow(_closed.Count);
        if (_open is not null && _closed.Count == 0)
        {
            var left = _delay == TimeSpan.Zero ? TimeSpan.Zero : _delay - Time.GetElapsedTime(_open.FirstCommitted);
            if (left > TimeSpan.Zero)
            {
                rest = left;
                return null;
            }
            // Closed to newcomers; those inside are only laying out pixels, which takes microseconds.
            _closed.Enqueue(_open);
            _open = null;
            if (_closed.Peek().IsFilling)
            {
                return null;
            }
        }
        var batch = _closed.Dequeue();
        batch.Slot = _runs.Begin(isNarrow);
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
            // It may be the one that the narrow runs were waiting for, though another is the next of them.
            Wake();
        }
        return item;
    }

    // Called wherever what Take finds may have changed. One thread is enough: it looks at everything, and wakes the next where it leaves something to do.
    private void Wake()
    {
        if (CanTake && _sleepers.Count > 0)
        {
            _sleepers[^1].Release();
            _sleepers.RemoveAt(_sleepers.Count - 1);
        }
    }

    private void GiveUp(LinkedListNode<TaskCompletionSource<BatchItem>> waiter, CancellationToken cancellationToken)
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
