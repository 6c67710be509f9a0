using System.Collections.Concurrent;
using Embeddings.Server.Security;
using Embeddings.Storage;

namespace Embeddings.Server.Limits;

/// <summary>
/// The number of points in the collections of each caller that has such a limit. It is counted once per second, or when the
/// limit seems to be reached; between two counts, and while it is in flight, every point that is sent counts as new. So the limit
/// can be exceeded by the faces of photos after the first, and by what other servers store within a second.
/// </summary>
internal sealed class PointCounts(IVectorStore store, TimeProvider time)
{
    private const int MaxIdle = 1024;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // While a caller is at its limit.
    private static readonly TimeSpan ShortInterval = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    /// <summary>
    /// Adds points that a caller sends; null if its collections would then hold more than the limit. Dispose what it returns when
    /// the points have been stored or have failed.
    /// </summary>
    public async ValueTask<IDisposable?> TryAddAsync(Caller caller, int points, long limit, CancellationToken cancellationToken)
    {
        var entry = _entries.GetOrAdd(caller.Name, static _ => new());
        if (_entries.Count > MaxIdle)
        {
            ForgetIdle();
        }
        await entry.Turn.WaitAsync(cancellationToken);
        try
        {
            var isFull = entry.Count + points > limit;
            var age = entry.Counted is { } counted ? time.GetElapsedTime(counted) : TimeSpan.MaxValue;
            if (age > (isFull ? ShortInterval : Interval))
            {
                // Those in flight may be counted already or not; the last count with what was added since is a bound, too.
                var pending = entry.Pending;
                var stored = await CountAsync(caller, cancellationToken);
                entry.Count = entry.Counted is null ? stored + pending : Math.Max(stored, Math.Min(entry.Count, stored + pending));
                entry.Counted = time.GetTimestamp();
            }
            if (entry.Count + points > limit)
            {
                return null;
            }
            entry.Count += points;
            return new Lease(entry, points);
        }
        finally
        {
            entry.Turn.Release();
        }
    }

    private async Task<long> CountAsync(Caller caller, CancellationToken cancellationToken)
    {
        var collections = await store.ListCollectionsAsync(cancellationToken);
        return collections.Where(collection => caller.Covers(collection.Name)).Sum(static collection => collection.Count);
    }

    private void ForgetIdle()
    {
        foreach (var (name, entry) in _entries)
        {
            if (entry.Pending == 0 && (entry.Counted is not { } counted || time.GetElapsedTime(counted) > Interval))
            {
                _entries.TryRemove(new(name, entry));
            }
        }
    }

    private sealed class Lease : IDisposable
    {
        private readonly Entry _entry;
        private int _points;

        public Lease(Entry entry, int points)
        {
            (_entry, _points) = (entry, points);
            entry.Add(points);
        }

        public void Dispose() => _entry.Add(-Interlocked.Exchange(ref _points, 0));
    }

    private sealed class Entry
    {
        private long _pending;

        /// <summary>Points in flight.</summary>
        public long Pending => Interlocked.Read(ref _pending);

        // Not disposed: without a wait handle it holds nothing but memory.
        public SemaphoreSlim Turn { get; } = new(1);

        public long Count { get; set; }

        public long? Counted { get; set; }

        public void Add(long points) => Interlocked.Add(ref _pending, points);
    }
}
