namespace Embeddings.Core.Batching;

/// <summary>
/// Bounds what is on its way, in items and in bytes. First come, first served: a small item never overtakes a large one that waits, so none starves.
/// </summary>
internal sealed class AdmissionGate(int maxItems, long maxBytes)
{
    private readonly Lock _lock = new();
    private readonly Queue<Waiter> _waiters = new();
    private int _items;
    private long _bytes;

    /// <summary>Items inside.</summary>
    public int Items => Volatile.Read(ref _items);

    /// <summary>Enters if there is room and nobody waits.</summary>
    public bool TryEnter(long bytes)
    {
        lock (_lock)
        {
            return _waiters.Count == 0 && TryTake(bytes);
        }
    }

    /// <summary>Waits for room.</summary>
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

    /// <summary>Leaves with what was taken.</summary>
    public void Exit(long bytes)
    {
        lock (_lock)
        {
            _items--;
            _bytes -= bytes;
            LetIn();
        }
    }

    private async ValueTask WaitAsync(Waiter waiter, CancellationToken cancellationToken)
    {
        await using var registration = cancellationToken.UnsafeRegister(
            static (state, token) =>
            {
                var (gate, waiter) = ((AdmissionGate, Waiter))state!;
                gate.GiveUp(waiter, token);
            },
            (this, waiter));
        await waiter.Task;
    }

    private void GiveUp(Waiter waiter, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            // It may be inside by now; then it stays, and its caller sees the cancellation at the next step.
            if (waiter.TrySetCanceled(cancellationToken))
            {
                LetIn();
            }
        }
    }

    private void LetIn()
    {
        while (_waiters.TryPeek(out var waiter))
        {
            // The lock makes this safe: a waiter is given up only under it.
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
        // The first one is let in whatever its size: it would wait for ever otherwise.
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
