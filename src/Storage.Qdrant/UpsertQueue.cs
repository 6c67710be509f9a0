using Embeddings.Primitives;
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
    /// Takes the next points within both limits, but at least one. Points of jobs that have been cancelled or have failed are
    /// dropped, so the result may be empty.
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
            foreach (var version in point.Versions.Where(version => version.Job.IsEnded))
            {
                version.Job.Drop(version.Index);
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
/// <param name="Id">Qdrant's id.</param>
/// <param name="Point">The point, encoded.</param>
/// <param name="Job">The job of its caller.</param>
/// <param name="Index">Its index in the job.</param>
/// <param name="Earlier">The version that it replaces, or null.</param>
internal sealed record PendingPoint(Guid Id, ByteString Point, UpsertJob Job, int Index = 0, PendingPoint? Earlier = null)
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

    /// <summary>The newest version whose job continues, or null.</summary>
    public PendingPoint? Newest => Job.IsEnded ? Earlier?.Newest : this;
}

/// <summary>
/// The points of one caller. It ends when it is known of each point whether it is stored: it completes if all are, and fails
/// otherwise with the first failure and the indexes of the points that are not stored. After the first failure, points that
/// have not been sent are dropped, so that the failure is soon reported.
/// </summary>
/// <param name="points">The number of points.</param>
/// <param name="cancellationToken">Cancels the job.</param>
/// <param name="reportsIndexes">True if the failure names the points that are not stored.</param>
internal sealed class UpsertJob(int points, CancellationToken cancellationToken, bool reportsIndexes = true)
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly bool[] _isKnown = new bool[points];

    // Null while no point has failed.
    private bool[]? _notStored;
    private int _remaining = points;
    private volatile Exception? _failure;

    public Task Task => _done.Task;

    /// <summary>Returns true if the caller has cancelled.</summary>
    public bool IsCancelled => cancellationToken.IsCancellationRequested;

    /// <summary>Returns true if points that have not been sent can be dropped.</summary>
    public bool IsEnded => IsCancelled || _failure is not null;

    public void PointStored(int index) => Know(index, null);

    public void PointFailed(int index, Exception failure) => Know(index, failure);

    /// <summary>Records that a point is not sent.</summary>
    public void Drop(int index)
    {
        if (IsCancelled)
        {
            _done.TrySetCanceled(cancellationToken);
        }
        else
        {
            Know(index, _failure);
        }
    }

    private void Know(int index, Exception? failure)
    {
        lock (_lock)
        {
            if (_isKnown[index])
            {
                return;
            }
            _isKnown[index] = true;
            if (failure is not null)
            {
                _failure ??= failure;
                (_notStored ??= new bool[_isKnown.Length])[index] = true;
            }
            if (--_remaining > 0)
            {
                return;
            }
        }
        if (_failure is null)
        {
            _done.TrySetResult();
        }
        else
        {
            _done.TrySetException(Failure());
        }
    }

    private Exception Failure()
    {
        if (_failure is not Fault fault || _isKnown.Length == 1 || !reportsIndexes)
        {
            return _failure!;
        }
        var indexes = IndexRanges.Format(_notStored);
        var count = _notStored!.Count(isNotStored => isNotStored);
        return fault
            .Saying(
                $"{count} of {_isKnown.Length} points are not stored, or may not be; all others are. Their indexes are in "
                + $"'{FaultKeys.NotStored}'; send them again. {fault.Message}")
            .With(FaultKeys.NotStored, indexes);
    }
}
