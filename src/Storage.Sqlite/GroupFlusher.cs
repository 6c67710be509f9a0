using System.Collections.Concurrent;
using Embeddings.Primitives;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// The second half of a group's way, beside the writer: flushes the log, takes committed groups into memory in their order, and answers. The writer commits
/// the next group meanwhile instead of waiting for the disk; of groups that wait, one flush serves all.
/// </summary>
internal sealed class GroupFlusher : IDisposable
{
    // One being flushed and this many behind it: more would only make acks wait.
    private const int MaxWaiting = 2;

    private readonly BlockingCollection<WrittenGroup> _written = new(MaxWaiting);
    private readonly object _lock = new();
    private readonly Action _flush;
    private readonly ILogger _logger;
    private readonly Thread _thread;
    private int _groups;
    private long _points;
    private volatile Fault? _broken;
    private volatile string? _lastError;

    /// <param name="flush">Returns once what was committed before is on the disk; throws where that cannot be said.</param>
    /// <param name="logger">Where failures go.</param>
    public GroupFlusher(Action flush, ILogger logger)
    {
        _flush = flush;
        _logger = logger;
        _thread = new Thread(Loop) { IsBackground = true, Name = "store flusher" };
        _thread.Start();
    }

    /// <summary>Why the last group was not stored; null where it was.</summary>
    public string? LastError => _lastError;

    /// <summary>
    /// Set for good once a flush has failed. The system forgets which pages it could not write, and a later flush that succeeds says nothing of them: nothing
    /// written from then on could be acknowledged truthfully. A restart reads what is really there.
    /// </summary>
    public Fault? Broken => _broken;

    /// <summary>The most points that groups on their way may add to what the catalog counts.</summary>
    public long PendingPoints => Interlocked.Read(ref _points);

    /// <summary>Passes a group on after its transaction; waits where several wait already. The writer's alone.</summary>
    public void Add(WrittenGroup group)
    {
        lock (_lock)
        {
            _groups++;
        }

        Interlocked.Add(ref _points, group.Points);
        _written.Add(group);
    }

    /// <summary>Waits until all groups are in memory. The writer's alone.</summary>
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

    /// <summary>Tells callers on the thread pool, some at a time: one wake-up for each of them would cost more than their answers.</summary>
    public static void Answer(List<WriteRequest> group, Action<WriteRequest> answer)
    {
        foreach (var some in group.Chunk(64))
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                static state =>
                {
                    foreach (var request in state.Some)
                    {
                        state.Answer(request);
                    }
                },
                (Some: some, Answer: answer),
                preferLocal: false);
        }
    }

    /// <summary>Finishes what was added, and ends.</summary>
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
                $"the store's log could not be flushed to the disk: {exception.Message}; mend the disk and restart the server",
                inner: exception);
        }
    }

    private void Finish(WrittenGroup group)
    {
        var error = group.Error ?? _broken ?? Apply(group.Context!);
        _lastError = error?.Message;

        // Before the answers: who was answered finds the store's counts settled.
        Interlocked.Add(ref _points, -group.Points);
        Answer(group.Requests, error is null ? static request => request.Complete() : request => request.Fail(error));
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
            // Out of memory: the points are durable, but an ack would promise that searches see them.
            _logger.ApplyFailed(exception);
            return new Fault(FaultKind.ResourceExhausted, Reasons.StoreFull, "the server has no memory for more vectors", inner: exception);
        }
    }
}
