using Google.Protobuf;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Points that wait to be sent, in order of arrival. Of points with the same id only the newest version waits, and it
/// is not sent while an older version is in flight, because two upserts in flight may arrive in either order. Not
/// thread-safe: <see cref="UpsertBatcher"/> locks it.
/// </summary>
internal sealed class UpsertQueue
{
    private readonly Queue<Guid> _ready = new();
    private readonly Dictionary<Guid, PendingPoint> _waiting = [];
    private readonly HashSet<Guid> _inFlight = [];

    /// <summary>The number of points that can be sent now.</summary>
    public int Count => _ready.Count;

    /// <summary>The size of the points that can be sent now.</summary>
    public long Bytes { get; private set; }

    public void Add(PendingPoint point)
    {
        var replaced = _waiting.GetValueOrDefault(point.Id);
        _waiting[point.Id] = replaced is null ? point : point with { Earlier = replaced };
        if (_inFlight.Contains(point.Id))
        {
            return;
        }
        Bytes += point.Bytes - (replaced?.Bytes ?? 0);
        if (replaced is null)
        {
            _ready.Enqueue(point.Id);
        }
    }

    /// <summary>
    /// Takes the next points within both limits, but at least one. Cancelled points are dropped, so the result may be
    /// empty.
    /// </summary>
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
            if (point.Newest is { } newest)
            {
                _inFlight.Add(id);
                taken.Add(newest);
                bytes += newest.Bytes;
            }
        }
        return taken;
    }

    /// <summary>
    /// Records that these points are no longer in flight, so that newer versions of them can be sent.
    /// </summary>
    public void Completed(IEnumerable<PendingPoint> points)
    {
        foreach (var point in points)
        {
            _inFlight.Remove(point.Id);
            if (_waiting.TryGetValue(point.Id, out var next))
            {
                _ready.Enqueue(point.Id);
                Bytes += next.Bytes;
            }
        }
    }
}

/// <summary>A point to write, with the earlier versions that it replaces.</summary>
internal sealed record PendingPoint(Guid Id, ByteString Point, UpsertJob Job, PendingPoint? Earlier = null)
{
    public int Bytes => Point.Length;

    /// <summary>This version and those it replaces, newest first.</summary>
    public IEnumerable<PendingPoint> Versions
    {
        get
        {
            for (var version = this; version is not null; version = version.Earlier)
            {
                yield return version;
            }
        }
    }

    /// <summary>The newest version that is not cancelled, or null.</summary>
    public PendingPoint? Newest => Job.IsCancelled ? Earlier?.Newest : this;
}

/// <summary>The points of one caller: completes when all are written, fails if one fails.</summary>
internal sealed class UpsertJob(int points, CancellationToken cancellationToken)
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _remaining = points;

    public Task Task => _done.Task;

    /// <summary>Returns true if the caller has cancelled, so that unsent points can be dropped.</summary>
    public bool IsCancelled => cancellationToken.IsCancellationRequested;

    public void PointStored()
    {
        if (Interlocked.Decrement(ref _remaining) == 0)
        {
            _done.TrySetResult();
        }
    }

    public void Fail(Exception exception) => _done.TrySetException(exception);

    public void Cancel() => _done.TrySetCanceled(cancellationToken);
}
