namespace Embeddings.Storage.Sqlite;

/// <summary>A row that can be a hit.</summary>
/// <param name="Row">The row number.</param>
/// <param name="High">A bound above its score.</param>
internal readonly record struct Candidate(long Row, float High);

/// <summary>
/// The rows of one query that can be among its best, by bounds below and above their scores: a row whose upper bound is below
/// as many lower bounds as there are hits cannot be one. Used by one thread.
/// </summary>
/// <param name="keep">The number of hits, at least 1, and one more for each point that is excluded, which may have one of the lower bounds.</param>
/// <param name="minimum">The lowest score of a hit.</param>
/// <param name="capacity">The maximum number of candidates, which bounds the memory.</param>
internal sealed class Candidates(int keep, float minimum, int capacity)
{
    private const int FirstCapacity = 64;

    // The highest lower bounds, a heap with the lowest of them on top.
    private readonly PriorityQueue<byte, float> _lows = new();
    private (int Slot, float High)[] _items = new (int, float)[Math.Min(FirstCapacity, capacity)];
    private int _count;

    /// <summary>No row with an upper bound below this can be a hit.</summary>
    public float Floor { get; private set; } = minimum;

    /// <summary>True if there were more candidates than fit: then any row can be a hit.</summary>
    public bool IsOverfull { get; private set; }

    public void Add(int slot, float low, float high)
    {
        AddLow(low);
        if (_count == _items.Length && !MakeRoom())
        {
            return;
        }

        _items[_count++] = (slot, high);
    }

    /// <summary>Raises the floor to one that another thread has found.</summary>
    public void Raise(float floor) => Floor = Math.Max(Floor, floor);

    /// <summary>Adds the lower bounds of another thread.</summary>
    public void MergeLows(Candidates other)
    {
        Raise(other.Floor);
        foreach (var (_, low) in other._lows.UnorderedItems)
        {
            AddLow(low);
        }

        IsOverfull |= other.IsOverfull;
    }

    /// <summary>Adds the candidates that are not below a floor to a list.</summary>
    public void CopyTo(List<Candidate> list, float floor, CollectionIndex index)
    {
        foreach (var (slot, high) in _items.AsSpan(0, _count))
        {
            if (high >= floor)
            {
                list.Add(new Candidate(index.Row(slot), high));
            }
        }
    }

    private void AddLow(float low)
    {
        if (_lows.Count < keep)
        {
            _lows.Enqueue(0, low);
        }
        else if (low > Floor)
        {
            _lows.EnqueueDequeue(0, low);
        }

        if (_lows.Count == keep && _lows.TryPeek(out _, out var least))
        {
            Raise(least);
        }
    }

    private bool MakeRoom()
    {
        if (IsOverfull)
        {
            return false;
        }

        var kept = 0;
        for (var i = 0; i < _count; i++)
        {
            if (_items[i].High >= Floor)
            {
                _items[kept++] = _items[i];
            }
        }

        _count = kept;
        if (kept <= _items.Length / 2)
        {
            return true;
        }

        if (_items.Length < capacity)
        {
            Array.Resize(ref _items, (int)Math.Min(2L * _items.Length, capacity));
            return true;
        }

        IsOverfull = true;
        (_items, _count) = ([], 0);
        return false;
    }
}
