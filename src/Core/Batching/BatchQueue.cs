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
/// Callers take turns: those that wait for a place get one each in turn. A caller that has nothing in the batches that wait,
/// while another has several items there, gets a place in an express batch, which runs next; after it a batch of those that
/// waited runs. So the flood of one caller adds at most one batch to the wait of another. With one caller, there is no express
/// batch.
/// There is no timer unless <see cref="BatchingOptions.MaxBatchDelay"/> is set: a batch forms while the one before it runs.
/// A batch is full at <see cref="BatchSize"/> items, which <see cref="BatchTrials"/> finds, unless the load does not fill as
/// many batches of that size as there are processors.
/// If the model has single-threaded runs, as many full batches as those run concurrently, one thread each: every processor
/// has work and none is shared. Fewer run one after the other with all threads, so that each finishes as soon as possible;
/// but a batch that is half full joins single-threaded runs that leave processors idle.
/// </summary>
internal sealed class BatchQueue : IDisposable
{
    private readonly Lock _lock = new();
    private readonly TimeSpan _delay;
    private readonly BatchPool _batches;
    private readonly LinkedList<Batch> _closed = new();
    private readonly OwnerTable<QueueOwner> _owners = new(static key => new(key));
    // Callers that wait for a place, in the order of their turns.
    private readonly Queue<QueueOwner> _turns = new();
    // Idle threads. The last to arrive is woken first: its caches are still warm.
    private readonly List<SemaphoreSlim> _sleepers = [];
    private readonly RunRule _runs;
    private readonly int _singleThreadedRuns;
    private int _batchSize;
    // Items that wait for a place, have one, or run.
    private int _items;
    private TimeSpan _timePerItem;
    private Batch? _open;
    private Batch? _express;
    // An express batch was the last to leave: the next one lets a batch of those that wait go first.
    private bool _wasExpress;
    // Closed batches in which a caller has several items.
    private int _crowded;
    private bool _stopping;
    private bool _disposed;

    public BatchQueue(IEmbeddingSession session, BatchingOptions options, TimeProvider time)
    {
        _delay = options.MaxBatchDelay;
        _runs = new RunRule(session.MultiThreadedRuns, session.SingleThreadedRuns);
        _singleThreadedRuns = session.SingleThreadedRuns;
        _batchSize = Math.Min(BatchSizer.First, session.MaxBatch);
        Time = time;
        // One in each run, one waiting to be next, one open: enough that no run waits for callers, and no more. Of
        // single-threaded runs one is always about to end.
        _batches = new BatchPool(session, Math.Max(session.MultiThreadedRuns + 2, session.SingleThreadedRuns + 1));
    }

    public TimeProvider Time { get; }

    /// <summary>Number of items at which a batch is full, from 1 to the session's largest batch.</summary>
    public int BatchSize
    {
        get
        {
            lock (_lock)
            {
                return _batchSize;
            }
        }

        set
        {
            lock (_lock)
            {
                _batchSize = value;
            }
        }
    }

    /// <summary>Duration of the last full batch under load, divided by its items; 0 before there was one.</summary>
    public TimeSpan TimePerItem
    {
        get
        {
            lock (_lock)
            {
                return _timePerItem;
            }
        }
    }

    // True if Take has something to do: a batch to return, or an open one to close or to keep open for its delay.
    private bool CanTake => IsExpressNext || _closed.First is { Value.IsFilling: false }
        ? _runs.MayRunMultiThreaded || _runs.MayRunSingleThreaded(Waiting)
        : _closed.Count == 0
            && _open is { FirstCommitted: not 0 } open
            && (_runs.MayRunMultiThreaded || (_runs.MayJoin && open.IsHalfFilled));

    private bool IsExpressNext => _express is { HasWork: true }
        && (!_wasExpress || (_closed.Count == 0 && _open is null or { FirstCommitted: 0 }));

    // Batches that wait to run.
    private int Waiting => _closed.Count + (_express is { HasWork: true } ? 1 : 0);

    /// <summary>Reserves a place in a batch, at once or when a tensor comes back.</summary>
    /// <param name="owner">The caller: any object that is equal for all items of the same caller.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public ValueTask<BatchItem> ReserveAsync(object owner, CancellationToken cancellationToken)
    {
        QueueOwner caller;
        LinkedListNode<TaskCompletionSource<BatchItem>> waiter;
        lock (_lock)
        {
            if (_stopping)
            {
                return ValueTask.FromException<BatchItem>(Stopping());
            }
            _items++;
            caller = _owners.Of(owner);
            if (caller.Waiters.Count == 0 && TryReserve(caller, mayOpen: _turns.Count == 0) is { } item)
            {
                return ValueTask.FromResult(item);
            }
            waiter = caller.Waiters.AddLast(
                new TaskCompletionSource<BatchItem>(TaskCreationOptions.RunContinuationsAsynchronously));
            if (!caller.HasTurn)
            {
                caller.HasTurn = true;
                _turns.Enqueue(caller);
            }
        }
        return WaitAsync(caller, waiter, cancellationToken);
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
            var isAlone = item.Batch == _open && _open.Reserved == 1 && _closed.Count == 0 && _express is null && _runs.IsIdle;
            if (take && isAlone && !_stopping && _delay == TimeSpan.Zero)
            {
                _open = null;
                item.Batch.Take();
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
            _items -= batch.Reserved;
            if (batch.Ran == batch.Size && _runs.IsForLoad(batch.Slot))
            {
                _timePerItem = batch.Duration / batch.Ran;
            }
            _batches.Return(batch);
            Serve();
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
            waiting = [.. Unfinished()];
            foreach (var waiter in _turns.SelectMany(static caller => caller.Waiters))
            {
                waiter.SetException(Stopping());
            }
            foreach (var caller in _turns)
            {
                caller.Waiters.Clear();
            }
            _turns.Clear();
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
            foreach (var batch in Unfinished())
            {
                Free(batch);
            }
            _batches.Dispose();
            _open = null;
            _express = null;
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

    private IEnumerable<Batch> Unfinished()
    {
        foreach (var batch in _closed)
        {
            yield return batch;
        }
        if (_express is not null)
        {
            yield return _express;
        }
        if (_open is not null)
        {
            yield return _open;
        }
    }

    private async ValueTask<BatchItem> WaitAsync(
        QueueOwner owner, LinkedListNode<TaskCompletionSource<BatchItem>> waiter, CancellationToken cancellationToken)
    {
        await using var registration = cancellationToken.UnsafeRegister(
            static (state, token) =>
            {
                var (queue, owner, waiter) =
                    ((BatchQueue, QueueOwner, LinkedListNode<TaskCompletionSource<BatchItem>>))state!;
                queue.Cancel(owner, waiter, token);
            },
            (this, owner, waiter));
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
        var singleThreaded = _runs.MayRunSingleThreaded(Waiting);
        if (IsExpressNext)
        {
            _closed.AddFirst(_express!);
            _express = null;
            _wasExpress = true;
            // Others may be waiting for a place in an express batch.
            Serve();
            if (_closed.First!.Value.IsFilling)
            {
                return null;
            }
        }
        else if (_open is not null && _closed.Count == 0)
        {
            var left = _delay == TimeSpan.Zero ? TimeSpan.Zero : _delay - Time.GetElapsedTime(_open.FirstCommitted);
            if (left > TimeSpan.Zero)
            {
                remaining = left;
                return null;
            }
            // No more items may enter; those inside are only laying out pixels, which takes microseconds.
            Close(_open);
            if (_closed.First!.Value.IsFilling)
            {
                return null;
            }
        }
        var batch = _closed.First!.Value;
        _closed.RemoveFirst();
        if (!batch.IsExpress)
        {
            _wasExpress = false;
            _crowded -= batch.IsCrowded ? 1 : 0;
        }
        batch.Take();
        batch.Slot = _runs.Begin(singleThreaded);
        return batch;
    }

    private void Close(Batch open)
    {
        _closed.AddLast(open);
        _crowded += open.IsCrowded ? 1 : 0;
        _open = null;
    }

    // Gives places to those that wait, one each in turn, until there are no more.
    private void Serve()
    {
        var withoutPlace = 0;
        while (_turns.Count > withoutPlace)
        {
            var owner = _turns.Dequeue();
            if (owner.Waiters.First is not { } waiter)
            {
                owner.HasTurn = false;
                continue;
            }
            _turns.Enqueue(owner);
            if (TryReserve(owner, mayOpen: true) is { } item)
            {
                owner.Waiters.RemoveFirst();
                waiter.Value.SetResult(item);
                withoutPlace = 0;
            }
            else
            {
                withoutPlace++;
            }
        }
    }

    private BatchItem? TryReserve(QueueOwner owner, bool mayOpen)
    {
        if (owner.Places == 0 && (_crowded > 0 || _express is not null))
        {
            _express ??= _batches.TryOpen(_batchSize, isExpress: true);
            if (_express is { IsFull: false })
            {
                return _express.Reserve(this, owner);
            }
        }
        if (!mayOpen)
        {
            return null;
        }
        _open ??= _batches.TryOpen(SizeForLoad());
        if (_open is null)
        {
            return null;
        }
        var item = _open.Reserve(this, owner);
        if (_open.IsFull)
        {
            Close(_open);
            // It may be the one that single-threaded runs were waiting for, though another batch is the next to run.
            Wake();
        }
        return item;
    }

    // A batch that takes all there is would leave the other processors idle. Small batches join the runs of others
    // (RunRule.MayJoin), and are not divided.
    private int SizeForLoad()
    {
        var size = _batchSize;
        while (size > BatchSizer.First && (long)size * _singleThreadedRuns > _items)
        {
            size = Math.Max(size / 2, BatchSizer.First);
        }
        return size;
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

    private void Cancel(
        QueueOwner owner, LinkedListNode<TaskCompletionSource<BatchItem>> waiter, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (waiter.List is not null)
            {
                owner.Waiters.Remove(waiter);
                _items--;
                waiter.Value.SetCanceled(cancellationToken);
            }
        }
    }
}

/// <summary>A caller in a <see cref="BatchQueue"/>, which alone changes it, under its lock.</summary>
internal sealed class QueueOwner(object key) : Owner(key)
{
    /// <summary>Its places in batches that wait, except in express batches.</summary>
    public int Places { get; set; }

    /// <summary>Its items that wait for a place.</summary>
    public LinkedList<TaskCompletionSource<BatchItem>> Waiters { get; } = new();

    /// <summary>True if it is among those that take turns.</summary>
    public bool HasTurn { get; set; }

    public override bool IsIdle => Places == 0 && !HasTurn;
}
