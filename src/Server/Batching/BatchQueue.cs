using Embeddings.Server.Diagnostics;
using Embeddings.Server.Inference;

namespace Embeddings.Server.Batching;

/// <summary>
/// Where many callers become one run. The queue alone owns its state, under one lock:
/// <list type="number">
/// <item>a caller reserves a place in the open batch, writes its input there and commits;</item>
/// <item>a full batch is closed and waits its turn; the next caller opens another, or waits for a tensor to come back;</item>
/// <item>a session that is free takes the oldest closed batch, else closes the open one as it is;</item>
/// <item>after the run the tensor comes back, and callers that wait are served in their order.</item>
/// </list>
/// There is no timer (unless <see cref="BatchingOptions.MaxBatchDelay"/> says so): a batch forms while the one before it runs.
/// </summary>
internal sealed class BatchQueue : IDisposable
{
    private readonly object _lock = new();
    private readonly IEmbeddingModel _model;
    private readonly TimeSpan _delay;
    private readonly Stack<Batch> _free = new();
    private readonly Queue<Batch> _closed = new();
    private readonly LinkedList<TaskCompletionSource<BatchItem>> _waiters = new();
    private Batch? _open;
    private int _tensorsLeft;
    private bool _stopping;

    public BatchQueue(IEmbeddingModel model, BatchingOptions options, TimeProvider time)
    {
        _model = model;
        _delay = options.MaxBatchDelay;
        Time = time;
        // One in each session, one waiting to be next, one open: enough that no session waits for callers, and no more.
        _tensorsLeft = model.Sessions + 2;
    }

    public TimeProvider Time { get; }

    /// <summary>Whether a batch stands open with someone in it.</summary>
    public bool IsOpen
    {
        get
        {
            lock (_lock)
            {
                return _open is { Reserved: > 0 };
            }
        }
    }

    /// <summary>A place in a batch, at once or when a tensor comes back.</summary>
    public async ValueTask<BatchItem> ReserveAsync(CancellationToken cancellationToken)
    {
        LinkedListNode<TaskCompletionSource<BatchItem>> waiter;
        lock (_lock)
        {
            ThrowIfStopping();
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

    /// <summary>A reserved place's input is complete, or never will be.</summary>
    public void Filled(BatchItem item)
    {
        lock (_lock)
        {
            item.Batch.Filled++;
            if (!item.Abandoned && item.Batch.FirstCommitted == 0)
            {
                item.Batch.FirstCommitted = item.Committed;
            }
            Monitor.PulseAll(_lock);
        }
    }

    /// <summary>Blocks until there is a batch to run, all its inputs complete. Null once the queue stops.</summary>
    public Batch? Take()
    {
        lock (_lock)
        {
            while (!_stopping)
            {
                if (_closed.TryPeek(out var full))
                {
                    if (!full.IsFilling)
                    {
                        return _closed.Dequeue();
                    }
                    Monitor.Wait(_lock);
                }
                else if (_open is { FirstCommitted: not 0 } open)
                {
                    var rest = _delay == TimeSpan.Zero ? TimeSpan.Zero : _delay - Time.GetElapsedTime(open.FirstCommitted);
                    if (rest > TimeSpan.Zero)
                    {
                        Monitor.Wait(_lock, rest);
                        continue;
                    }
                    // Closed to newcomers; those inside are only laying out pixels, which takes microseconds.
                    _open = null;
                    _closed.Enqueue(open);
                }
                else
                {
                    Monitor.Wait(_lock);
                }
            }
            return null;
        }
    }

    /// <summary>Gives a taken batch's tensor back.</summary>
    public void Return(Batch batch)
    {
        lock (_lock)
        {
            batch.Reset();
            _free.Push(batch);
            while (_waiters.First is { } waiter && TryReserve() is { } item)
            {
                _waiters.RemoveFirst();
                waiter.Value.SetResult(item);
            }
            Monitor.PulseAll(_lock);
        }
    }

    /// <summary>Stops: no more places, nothing more to take. What waits fails with UNAVAILABLE.</summary>
    public void Stop()
    {
        List<Batch> left;
        lock (_lock)
        {
            if (_stopping)
            {
                return;
            }
            _stopping = true;
            left = [.. _closed];
            if (_open is not null)
            {
                left.Add(_open);
            }
            foreach (var waiter in _waiters)
            {
                waiter.SetException(Stopping());
            }
            _waiters.Clear();
            Monitor.PulseAll(_lock);
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
            foreach (var batch in _free.Concat(_closed))
            {
                batch.Tensor.Dispose();
            }
            _open = null;
            _free.Clear();
            _closed.Clear();
        }
    }

    private static Fault Stopping() => new(FaultKind.Unavailable, Reasons.ShuttingDown, "the model is being unloaded; try again", retryAfter: TimeSpan.FromSeconds(1));

    private void ThrowIfStopping()
    {
        if (_stopping)
        {
            throw Stopping();
        }
    }

    private BatchItem? TryReserve()
    {
        if (_open is null && !_free.TryPop(out _open))
        {
            if (_tensorsLeft == 0)
            {
                return null;
            }
            _tensorsLeft--;
            _open = new Batch(_model.CreateTensor());
        }
        var item = _open.Reserve(this);
        if (_open.IsFull)
        {
            _closed.Enqueue(_open);
            _open = null;
        }
        return item;
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
