namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Points that wait to be sent, in order of coming. Of equal ids one version waits, the newest; and none is handed out while an older version of it is on its
/// way, since two upserts in flight may arrive in either order. Not thread-safe: its lane locks.
/// </summary>
internal sealed class UpsertQueue
{
    private readonly Queue<Guid> _ready = new();
    private readonly Dictionary<Guid, PendingPoint> _waiting = [];
    private readonly HashSet<Guid> _sent = [];

    /// <summary>Points that may be sent now.</summary>
    public int Count => _ready.Count;

    /// <summary>Their bytes.</summary>
    public long Bytes { get; private set; }

    public void Add(PendingPoint point)
    {
        var replaced = _waiting.GetValueOrDefault(point.Id);
        _waiting[point.Id] = replaced is null ? point : point with { Earlier = replaced };
        if (_sent.Contains(point.Id))
        {
            return;
        }
        Bytes += point.Bytes - (replaced?.Bytes ?? 0);
        if (replaced is null)
        {
            _ready.Enqueue(point.Id);
        }
    }

    /// <summary>The next points, at most so many and of at most so many bytes, but one at least; empty where nobody wants those that waited.</summary>
    public List<PendingPoint> Take(int maxPoints, int maxBytes)
    {
        var taken = new List<PendingPoint>(Math.Min(maxPoints, Count));
        var bytes = 0L;
        while (_ready.TryPeek(out var id) && taken.Count < maxPoints)
        {
            var point = _waiting[id];
            if (taken.Count > 0 && bytes + point.Bytes > maxBytes)
            {
                break;
            }
            _ready.Dequeue();
            _waiting.Remove(id);
            Bytes -= point.Bytes;
            foreach (var version in point.Versions.Where(version => version.Job.IsCancelled))
            {
                version.Job.Cancel();
            }
            if (point.Wanted is { } wanted)
            {
                _sent.Add(id);
                taken.Add(wanted);
                bytes += wanted.Bytes;
            }
        }
        return taken;
    }

    /// <summary>These are on their way no more: newer versions of them may go.</summary>
    public void Landed(IEnumerable<PendingPoint> points)
    {
        foreach (var point in points)
        {
            _sent.Remove(point.Id);
            if (_waiting.TryGetValue(point.Id, out var next))
            {
                _ready.Enqueue(point.Id);
                Bytes += next.Bytes;
            }
        }
    }
}
