namespace Embeddings.Storage.Sqlite;

/// <summary>A point found by a scan.</summary>
internal readonly record struct Hit(float Score, long Row, string Id) : IComparable<Hit>
{
    /// <summary>
    /// Orders hits from worst to best: by score, equal scores in descending ordinal order of their ids.
    /// </summary>
    public int CompareTo(Hit other)
    {
        if (Score == other.Score)
        {
            return string.CompareOrdinal(other.Id, Id);
        }

        return Score < other.Score ? -1 : 1;
    }
}

/// <summary>The best hits so far, in a heap with the worst hit on top.</summary>
internal sealed class TopK(int limit, float? threshold, IReadOnlySet<string>? excluded)
{
    private readonly float _minimum = threshold ?? float.NegativeInfinity;

    // The hits are the priorities; an element of its own would only make the nodes larger and the heap slower.
    private readonly PriorityQueue<byte, Hit> _heap = new();

    public int Count => _heap.Count;

    /// <summary>The lowest score that can enter.</summary>
    public float Floor { get; private set; } = threshold ?? float.NegativeInfinity;

    public void Offer(float score, long row, string id)
    {
        if (score >= _minimum && excluded?.Contains(id) is not true)
        {
            Add(new Hit(score, row, id));
        }
    }

    /// <summary>Removes all hits and returns them, best first.</summary>
    public Hit[] Take()
    {
        var hits = new Hit[_heap.Count];
        for (var i = hits.Length - 1; i >= 0; i--)
        {
            _heap.TryDequeue(out _, out hits[i]);
        }

        return hits;
    }

    private void Add(Hit hit)
    {
        if (_heap.Count < limit)
        {
            _heap.Enqueue(0, hit);
        }
        else
        {
            _heap.EnqueueDequeue(0, hit);
        }

        if (_heap.Count == limit && _heap.TryPeek(out _, out var worst))
        {
            Floor = worst.Score;
        }
    }
}
