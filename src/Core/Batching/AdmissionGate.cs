namespace Embeddings.Core.Batching;

/// <summary>
/// Bounds the items in flight by number and by bytes. Callers that wait take turns, one item each, so that none waits for the
/// many items of another. The items of one caller are in order, and the item whose turn it is is never overtaken by a smaller
/// one, so that none starves. An eighth on top of the limits is for callers that have little in flight: they enter although
/// another caller fills the gate.
/// </summary>
internal sealed class AdmissionGate(int maxItems, long maxBytes)
{
    // A caller with less than this uses what is on top.
    private const int LittlePart = 4;

    private readonly Lock _lock = new();
    private readonly int _moreItems = maxItems / 8;
    private readonly long _moreBytes = maxBytes / 8;
    private readonly OwnerTable<Entrant> _owners = new(static key => new(key));
    private readonly Queue<Entrant> _turns = new();
    private int _items;
    private long _bytes;

    /// <summary>Items in flight.</summary>
    public int Items => Volatile.Read(ref _items);

    /// <summary>Admits an item if there is room and no other item waits, or if its caller has little in flight.</summary>
    public bool TryEnter(object owner, long bytes)
    {
        lock (_lock)
        {
            return TryEnter(_owners.Of(owner), bytes);
        }
    }

    /// <summary>Waits until there is room.</summary>
    public ValueTask EnterAsync(object owner, long bytes, CancellationToken cancellationToken)
    {
        Waiter waiter;
        lock (_lock)
        {
            var entrant = _owners.Of(owner);
            if (TryEnter(entrant, bytes))
            {
                return ValueTask.CompletedTask;
            }
            waiter = new(bytes);
            entrant.Waiters.Enqueue(waiter);
            if (!entrant.HasTurn)
            {
                entrant.HasTurn = true;
                _turns.Enqueue(entrant);
            }
        }
        return WaitAsync(waiter, cancellationToken);
    }

    /// <summary>Releases what an admitted item took.</summary>
    public void Exit(object owner, long bytes)
    {
        lock (_lock)
        {
            var entrant = _owners.Of(owner);
            entrant.Items--;
            entrant.Bytes -= bytes;
            _items--;
            _bytes -= bytes;
            AdmitWaiters();
        }
    }

    private bool TryEnter(Entrant entrant, long bytes)
    {
        // While others wait, only what is on top is free.
        if (entrant.Waiters.Count > 0 || !((_turns.Count == 0 && Fits(bytes)) || FitsOnTop(entrant, bytes)))
        {
            return false;
        }
        Take(entrant, bytes);
        return true;
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
        while (_turns.TryPeek(out var entrant))
        {
            if (!entrant.Waiters.TryPeek(out var waiter))
            {
                entrant.HasTurn = false;
                _turns.Dequeue();
                continue;
            }
            // The lock makes this check safe: a waiter is cancelled only under it.
            if (waiter.Task.IsCompleted)
            {
                entrant.Waiters.Dequeue();
                continue;
            }
            if (!Fits(waiter.Bytes))
            {
                return;
            }
            Take(entrant, waiter.Bytes);
            entrant.Waiters.Dequeue();
            waiter.SetResult();
            _turns.Enqueue(_turns.Dequeue());
        }
    }

    // An item alone is admitted whatever its size: it would never be admitted otherwise.
    private bool Fits(long bytes) => _items == 0 || (_items < maxItems && _bytes + bytes <= maxBytes);

    private bool FitsOnTop(Entrant entrant, long bytes) =>
        entrant.Items < _moreItems / LittlePart
            && entrant.Bytes + bytes <= _moreBytes / LittlePart
            && _items < maxItems + _moreItems
            && _bytes + bytes <= maxBytes + _moreBytes;

    private void Take(Entrant entrant, long bytes)
    {
        entrant.Items++;
        entrant.Bytes += bytes;
        _items++;
        _bytes += bytes;
    }

    private sealed class Entrant(object key) : Owner(key)
    {
        public Queue<Waiter> Waiters { get; } = new();

        public int Items { get; set; }

        public long Bytes { get; set; }

        /// <summary>True if it is among those that take turns.</summary>
        public bool HasTurn { get; set; }

        public override bool IsIdle => Items == 0 && !HasTurn;
    }

    private sealed class Waiter(long bytes) : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public long Bytes { get; } = bytes;
    }
}
