namespace Embeddings.Core.Batching;

/// <summary>
/// Bounds the items in flight by number and by bytes. First come, first served: a small item never overtakes a large one
/// that waits, so that none starves.
/// </summary>
internal sealed class AdmissionGate(int maxItems, long maxBytes)
{
    private readonly Lock _lock = new();
    private readonly Queue<Waiter> _waiters = new();
    private int _items;
    private long _bytes;

    /// <summary>Items in flight.</summary>
    public int Items => Volatile.Read(ref _items);

    /// <summary>Admits an item if there is room and no other item waits.</summary>
    public bool TryEnter(long bytes)
    {
        lock (_lock)
        {
            return _waiters.Count == 0 && TryTake(bytes);
        }
    }

    /// <summary>Waits until there is room.</summary>
    public ValueTask EnterAsync(long bytes, CancellationToken cancellationToken)
    {
        Waiter waiter;
        lock (_lock)
        {
            if (_waiters.Count == 0 && TryTake(bytes))
            {
                return ValueTask.CompletedTask;
            }
            waiter = new(bytes);
            _waiters.Enqueue(waiter);
        }
        return WaitAsync(waiter, cancellationToken);
    }

    /// <summary>Releases what an admitted item took.</summary>
    public void Exit(long bytes)
    {
        lock (_lock)
        {
            _items--;
            _bytes -= bytes;
            AdmitWaiters();
        }
    }

    private async ValueTask WaitAsync(Waiter waiter, CancellationToken cancellationToken)
    {
        await using var registration = cancellationToken.UnsafeRegister(
            static (state, token) =>
            {
                var (gate, waiter) = ((AdmissionGate, Waiter))state!;
                gate.Cancel(waiter, token);
            },
            (this, waiter));
        await waiter.Task;
    }

    private void Cancel(Waiter waiter, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            // It may have been admitted by now; then it stays, and its caller sees the cancellation at the next step.
            if (waiter.TrySetCanceled(cancellationToken))
            {
                AdmitWaiters();
            }
        }
    }

    private void AdmitWaiters()
    {
        while (_waiters.TryPeek(out var waiter))
        {
            // The lock makes this check safe: a waiter is cancelled only under it.
            if (!waiter.Task.IsCompleted)
            {
                if (!TryTake(waiter.Bytes))
                {
                    return;
                }
                waiter.SetResult();
            }
            _waiters.Dequeue();
        }
    }

    private bool TryTake(long bytes)
    {
        // An item alone is admitted whatever its size: it would never be admitted otherwise.
        if (_items > 0 && (_items >= maxItems || _bytes + bytes > maxBytes))
        {
            return false;
        }
        _items++;
        _bytes += bytes;
        return true;
    }

    private sealed class Waiter(long bytes) : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public long Bytes { get; } = bytes;
    }
}
