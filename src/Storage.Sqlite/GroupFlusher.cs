using System.Collections.Concurrent;
using Embeddings.Primitives;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// The second stage of a group commit, in parallel with the writer: flushes the log, applies committed groups in memory
/// in order, and acknowledges them. The writer commits the next group instead of waiting for the disk; one flush serves
/// all waiting groups.
/// </summary>
internal sealed class GroupFlusher : IDisposable
{
    // One group is flushed and this many wait; more would only delay acknowledgements.
    private const int MaxWaiting = 2;

    private readonly BlockingCollection<WrittenGroup> _written = new(MaxWaiting);
    private readonly object _lock = new();
    private readonly Action _flush;
    private readonly ILogger _logger;
    private readonly Thread _thread;
    private int _groups;
    private long _points;
    private long _finished;
    private volatile Fault? _broken;
    private volatile string? _lastError;

    /// <param name="flush">Returns when all earlier commits are on disk; throws if that is uncertain.</param>
    /// <param name="logger">The logger for failures.</param>
    public GroupFlusher(Action flush, ILogger logger)
    {
        _flush = flush;
        _logger = logger;
        _thread = new Thread(Loop) { IsBackground = true, Name = "store flusher" };
        _thread.Start();
    }

    /// <summary>The error of the last group; null if it was stored.</summary>
    public string? LastError => _lastError;

    /// <summary>
    /// Set permanently when a flush fails. The operating system then discards its record of the pages that it could not
    /// write, and a later flush may succeed without them, so no further write can be acknowledged. A restart reads the
    /// actual content of the disk.
    /// </summary>
    public Fault? Broken => _broken;

    /// <summary>The maximum number of points that groups in flight add to the catalog's count.</summary>
    public long PendingPoints => Interlocked.Read(ref _points);

    /// <summary>The number of groups finished so far.</summary>
    public long Groups => Interlocked.Read(ref _finished);

    /// <summary>
    /// Queues a group after its transaction; blocks while the queue is full. Called by the writer only.
    /// </summary>
    public void Add(WrittenGroup group)
    {
        lock (_lock)
        {
            _groups++;
        }

        Interlocked.Add(ref _points, group.Points);
        _written.Add(group);
    }

    /// <summary>Waits until all groups are applied. Called by the writer only.</summary>
    public void Drain()
    {
        lock (_lock)
        {
            while (_groups > 0)
            {
                Monitor.Wait(_lock);
            }
        }
    }

    /// <summary>
    /// Completes requests on the thread pool in batches: one wake-up per request would cost more than completing it.
    /// </summary>
    public static void Complete(List<WriteRequest> group, Action<WriteRequest> complete)
    {
        foreach (var chunk in group.Chunk(64))
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                static state =>
                {
                    foreach (var request in state.Requests)
                    {
                        state.Complete(request);
                    }
                },
                (Requests: chunk, Complete: complete),
                preferLocal: false);
        }
    }

    /// <summary>Finishes all queued groups and ends the thread.</summary>
    public void Dispose()
    {
        _written.CompleteAdding();
        _thread.Join();
        _written.Dispose();
    }

    private void Loop()
    {
        var groups = new List<WrittenGroup>();
        foreach (var first in _written.GetConsumingEnumerable())
        {
            groups.Clear();
            groups.Add(first);
            while (_written.TryTake(out var next))
            {
                groups.Add(next);
            }

            Flush(groups);
            foreach (var group in groups)
            {
                Finish(group);
            }
        }
    }

    private void Flush(List<WrittenGroup> groups)
    {
        if (_broken is not null || groups.TrueForAll(static group => group.Context is null))
        {
            return;
        }

        try
        {
            _flush();
        }
        catch (Exception exception)
        {
            _logger.FlushFailed(exception);
            _broken = new Fault(
                FaultKind.Unavailable,
                Reasons.StoreUnavailable,
                $"The store's log could not be flushed to disk: {exception.Message} "
                + "Repair the disk, then restart the server.",
                inner: exception);
        }
    }

    private void Finish(WrittenGroup group)
    {
        var error = group.Error ?? _broken ?? Apply(group.Context!);
        _lastError = error?.Message;

        // Before completion, so that callers see correct counts.
        Interlocked.Add(ref _points, -group.Points);
        Interlocked.Increment(ref _finished);
        Complete(group.Requests, error is null ? static request => request.Complete() : request => request.Fail(error));
        lock (_lock)
        {
            _groups--;
            Monitor.PulseAll(_lock);
        }
    }

    private Fault? Apply(WriteContext context)
    {
        try
        {
            context.Apply();
            return null;
        }
        catch (Exception exception)
        {
            // Out of memory: the points are durable, but an acknowledgement would promise that searches see them.
            _logger.ApplyFailed(exception);
            return new Fault(
                FaultKind.ResourceExhausted,
                Reasons.StoreFull,
                "The server has no memory for more vectors.",
                inner: exception);
        }
    }
}

/// <summary>A group after its transaction.</summary>
/// <param name="Requests">The requests of the group.</param>
/// <param name="Context">The changes to apply in memory; null if the transaction failed.</param>
/// <param name="Error">The error of the transaction, or null.</param>
internal readonly record struct WrittenGroup(List<WriteRequest> Requests, WriteContext? Context, Exception? Error)
{
    /// <summary>The maximum number of points that the group adds.</summary>
    public long Points => Requests.Sum(static request => (long)request.Points);
}
