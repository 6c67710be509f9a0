namespace Embeddings.Storage.Sqlite;

/// <summary>The best hits so far: a heap with the worst of them on top.</summary>
internal sealed class TopK(int limit, float? threshold, string? excludeId)
{
    private readonly float _minimum = threshold ?? float.NegativeInfinity;
    private readonly List<Hit> _heap = [];

    /// <summary>A score below this cannot enter. Cosines are cut to -1 to 1, so a floor of -1 lets all in.</summary>
    public float Floor { get; private set; } = Open(threshold ?? float.NegativeInfinity);

    public void Offer(float score, long row, string id)
    {
        // Rounding takes a cosine a hair out of its range; cut before comparing, or ties would look ordered.
        var hit = new Hit(Math.Clamp(score, -1f, 1f), row, id);
        if (hit.Score >= _minimum && !string.Equals(id, excludeId, StringComparison.Ordinal))
        {
            Add(hit);
        }
    }

    /// <summary>Takes in what another found.</summary>
    public void Merge(TopK other)
    {
        foreach (var hit in other._heap)
        {
            Add(hit);
        }
    }

    /// <summary>The hits, best first.</summary>
    public Hit[] ToSorted()
    {
        var hits = _heap.ToArray();
        Array.Sort(hits, static (a, b) => a.Beats(b) ? -1 : b.Beats(a) ? 1 : 0);
        return hits;
    }

    private static float Open(float floor) => floor <= -1 ? float.NegativeInfinity : floor;

    private void Add(Hit hit)
    {
        if (_heap.Count < limit)
        {
            _heap.Add(hit);
            SiftUp(_heap.Count - 1);
        }
        else if (hit.Beats(_heap[0]))
        {
            _heap[0] = hit;
            SiftDown();
        }

        if (_heap.Count == limit)
        {
            Floor = Open(_heap[0].Score);
        }
    }

    private void SiftUp(int child)
    {
        for (var parent = (child - 1) / 2; child > 0 && _heap[parent].Beats(_heap[child]); child = parent, parent = (child - 1) / 2)
        {
            (_heap[parent], _heap[child]) = (_heap[child], _heap[parent]);
        }
    }

    private void SiftDown()
    {
        for (int parent = 0, child = 1; child < _heap.Count; child = (2 * parent) + 1)
        {
            if (child + 1 < _heap.Count && _heap[child].Beats(_heap[child + 1]))
            {
                child++;
            }

            if (!_heap[parent].Beats(_heap[child]))
            {
                return;
            }

            (_heap[parent], _heap[child]) = (_heap[child], _heap[parent]);
            parent = child;
        }
    }
}
