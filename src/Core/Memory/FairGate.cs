namespace Embeddings.Core.Memory;

/// <summary>A part of a <see cref="FairGate"/>'s slots and bytes.</summary>
/// <param name="Bytes">Memory that the work needs.</param>
/// <param name="Work">Cost of the work, in any unit: what the callers share fairly.</param>
/// <param name="IsLarge">True for work that may only take a part of the gate, so that small work always finds room.</param>
/// <param name="OnTopFor">The caller if the charge is on top of the capacity; set by the gate.</param>
internal readonly record struct Charge(long Bytes, long Work, bool IsLarge, object? OnTopFor = null);

/// <summary>
/// Admits work within a number of slots and bytes. Work that has to wait is admitted in the order of start-time fair queueing:
/// each caller gets the same share of the work, and a caller with little work does not wait for the many or the large items of
/// others. Large work takes at most half of the slots and three quarters of the bytes, so that small work goes past it.
/// Work that cannot wait is admitted on top of the capacity if there is no room, up to an eighth of it and one charge for each
/// caller, so that the flood of one caller does not shut the others out.
/// Without waiting callers, a charge is one uncontended lock.
/// </summary>
/// <param name="slots">Limit on the charges at a time.</param>
/// <param name="capacity">Limit on their bytes.</param>
internal sealed class FairGate(int slots, long capacity)
{
    // Callers whose share is remembered; more are forgotten when their share is used up anyway.
    private const int MaxCallers = 1024;

    private readonly Lock _lock = new();
    private readonly PriorityQueue<Waiter, (long Tag, long Order)> _small = new();
    private readonly PriorityQueue<Waiter, (long Tag, long Order)> _large = new();
    private readonly Dictionary<object, long> _tags = [];
    // Callers with a charge on top of the capacity.
    private readonly HashSet<object> _onTop = [];
    private readonly int _largeSlots = Math.Max(slots / 2, 1);
    private long _capacity = capacity;
    private long _initial = capacity;
    private long _used;
    private long _onTopUsed;
    private long _largeUsed;
    private int _entered;
    private int _largeEntered;
    private long _now;
    private long _order;

    /// <summary>Bytes in use.</summary>
    public long Used => Volatile.Read(ref _used) + Volatile.Read(ref _onTopUsed);

    /// <summary>Bytes of the largest charge that can ever be admitted.</summary>
    public long Largest => LargeShare(Volatile.Read(ref _initial));

    /// <summary>Callers that wait.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock)
            {
                return _small.Count + _large.Count;
            }
        }
    }

    /// <summary>
    /// Changes the capacity. A lower one applies to new charges; a large charge that is alone is admitted nevertheless, so that
    /// there is always progress.
    /// </summary>
    /// <param name="bytes">The new capacity.</param>
    /// <param name="isInitial">True to also derive <see cref="Largest"/> from it.</param>
    public void Resize(long bytes, bool isInitial = false)
    {
        lock (_lock)
        {
            _capacity = bytes;
            if (isInitial)
            {
                _initial = bytes;
            }
            AdmitWaiters();
        }
    }

    /// <summary>Admits work if there is room and no other work of its kind waits.</summary>
    public bool TryEnter(in Charge charge)
    {
        lock (_lock)
        {
            return TryTake(charge);
        }
    }

    /// <summary>
    /// Admits work that cannot wait: if there is room and no other work of its kind waits, or on top of the capacity.
    /// </summary>
    /// <param name="charge">The work; changed if it is on top, and to be released as it is afterwards.</param>
    /// <param name="caller">The caller.</param>
    public bool TryEnter(ref Charge charge, object caller)
    {
        lock (_lock)
        {
            if (TryTake(charge))
            {
                return true;
            }
            if (_onTopUsed + charge.Bytes > OnTopShare(_capacity) || !_onTop.Add(caller))
            {
                return false;
            }
            _onTopUsed += charge.Bytes;
            charge = charge with { OnTopFor = caller };
            return true;
        }
    }

    /// <summary>Waits until there is room.</summary>
    /// <param name="charge">At most <see cref="Largest"/> bytes.</param>
    /// <param name="caller">The caller whose turn it is: work of one caller is in order.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public ValueTask EnterAsync(in Charge charge, object caller, CancellationToken cancellationToken)
    {
        Waiter waiter;
        lock (_lock)
        {
            if (TryTake(charge))
            {
                return ValueTask.CompletedTask;
            }
            var start = Math.Max(_now, _tags.GetValueOrDefault(caller));
            _tags[caller] = start + charge.Work;
            waiter = new(charge, start);
            Waiters(charge.IsLarge).Enqueue(waiter, (start + charge.Work, _order++));
        }
        return WaitAsync(waiter, cancellationToken);
    }

    /// <summary>Changes the bytes of admitted work; a larger charge fails if there is no room for it.</summary>
    public bool TryResize(ref Charge charge, long bytes)
    {
        lock (_lock)
        {
            var more = bytes - charge.Bytes;
            if (charge.OnTopFor is not null)
            {
                if (more > 0 && _onTopUsed + more > OnTopShare(_capacity))
                {
                    return false;
                }
                _onTopUsed += more;
                charge = charge with { Bytes = bytes };
                return true;
            }
            if (more > 0 && _used + more > _capacity && _entered > 1)
            {
                return false;
            }
            _used += more;
            _largeUsed += charge.IsLarge ? more : 0;
            charge = charge with { Bytes = bytes };
            if (more < 0)
            {
                AdmitWaiters();
            }
            return true;
        }
    }

    /// <summary>Releases what admitted work took.</summary>
    public void Exit(in Charge charge)
    {
        lock (_lock)
        {
            if (charge.OnTopFor is { } caller)
            {
                _onTop.Remove(caller);
                _onTopUsed -= charge.Bytes;
                return;
            }
            _entered--;
            _used -= charge.Bytes;
            if (charge.IsLarge)
            {
                _largeEntered--;
                _largeUsed -= charge.Bytes;
            }
            AdmitWaiters();
        }
    }

    private static long LargeShare(long capacity) => capacity / 4 * 3;

    private static long OnTopShare(long capacity) => capacity / 8;

    private PriorityQueue<Waiter, (long Tag, long Order)> Waiters(bool isLarge) => isLarge ? _large : _small;

    private async ValueTask WaitAsync(Waiter waiter, CancellationToken cancellationToken)
    {
        await using var registration = cancellationToken.UnsafeRegister(
            static (state, token) =>
            {
                var (gate, waiter) = ((FairGate, Waiter))state!;
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
                Waiters(waiter.Charge.IsLarge).Remove(waiter, out _, out _);
                AdmitWaiters();
            }
        }
    }

    // The work with the earliest tag first; work that does not fit is passed by work of the other kind only.
    private void AdmitWaiters()
    {
        while (_small.Count + _large.Count > 0)
        {
            var fromSmall = _small.TryPeek(out var small, out var smallTag) && Fits(small.Charge);
            var fromLarge = _large.TryPeek(out var large, out var largeTag) && Fits(large.Charge);
            if (!fromSmall && !fromLarge)
            {
                return;
            }
            var isLarge = fromLarge && (!fromSmall || largeTag.CompareTo(smallTag) < 0);
            var waiter = Waiters(isLarge).Dequeue();
            _now = Math.Max(_now, waiter.Start);
            Take(waiter.Charge);
            waiter.SetResult();
        }
        // No work waits: all shares are equal again.
        _tags.Clear();
    }

    private bool TryTake(in Charge charge)
    {
        if (Waiters(charge.IsLarge).Count > 0 || !Fits(charge))
        {
            return false;
        }
        Take(charge);
        return true;
    }

    private bool Fits(in Charge charge)
    {
        if (_entered >= slots)
        {
            return false;
        }
        var used = _used + charge.Bytes;
        if (!charge.IsLarge)
        {
            // What large work that waits may not use is enough for small work, which must not keep it out.
            var limit = _large.Count == 0 ? _capacity : _capacity - LargeShare(_capacity);
            return (used <= _capacity && used - _largeUsed <= limit) || _entered == 0;
        }
        return _largeEntered == 0
            ? used <= Math.Max(_capacity, _initial)
            : _largeEntered < _largeSlots && used <= _capacity && _largeUsed + charge.Bytes <= LargeShare(_capacity);
    }

    private void Take(in Charge charge)
    {
        _entered++;
        _used += charge.Bytes;
        if (charge.IsLarge)
        {
            _largeEntered++;
            _largeUsed += charge.Bytes;
        }
        if (_tags.Count > MaxCallers)
        {
            foreach (var (caller, _) in _tags.Where(tag => tag.Value <= _now).ToList())
            {
                _tags.Remove(caller);
            }
        }
    }

    private sealed class Waiter(Charge charge, long start) : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public Charge Charge { get; } = charge;

        /// <summary>The virtual time at which the work begins.</summary>
        public long Start { get; } = start;
    }
}
