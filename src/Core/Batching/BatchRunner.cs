using Embeddings.Core.Inference;
using Embeddings.Primitives;

namespace Embeddings.Core.Batching;

/// <summary>
/// A session in memory with its queue, and the threads that run its batches, one for each concurrent run.
/// </summary>
internal sealed class BatchRunner : IDisposable
{
    private readonly EmbeddingMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Thread[] _threads;
    // Held by the caller that runs its item on its own thread.
    private readonly Lock _callerRun = new();
    private readonly Lock _disposal = new();
    private bool _disposed;

    /// <param name="session">The session; disposed with this instance.</param>
    /// <param name="options">Limits of the queue.</param>
    /// <param name="metrics">Counts the batches.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Gets the failures of batches.</param>
    /// <param name="batchSize">The batch size that earlier trials found; 0 if there were none.</param>
    public BatchRunner(
        IEmbeddingSession session,
        BatchingOptions options,
        EmbeddingMetrics metrics,
        TimeProvider time,
        ILogger log,
        int batchSize = 0)
    {
        Session = session;
        Queue = new(session, options, time);
        Trials = new(session, Queue, batchSize);
        Queue.BatchSize = Trials.Size;
        _metrics = metrics;
        _time = time;
        _log = log;
        // Not threads of the pool: a run blocks for milliseconds, and the pool's threads are for requests.
        _threads = new Thread[Math.Max(session.MultiThreadedRuns, session.SingleThreadedRuns)];
        for (var i = 0; i < _threads.Length; i++)
        {
            _threads[i] = new Thread(RunAll) { IsBackground = true, Name = $"{session.Model.Name}#{i}" };
            _threads[i].Start();
        }
    }

    public IEmbeddingSession Session { get; }

    public BatchQueue Queue { get; }

    /// <summary>Finds the size of the queue's batches.</summary>
    public BatchTrials Trials { get; }

    /// <summary>
    /// Number of items that hold the session in memory. Changed only by <c>ServedModel</c>, under its lock.
    /// </summary>
    public int Leases { get; set; }

    /// <summary>
    /// Commits an item and, if nothing else runs or waits, runs it on the caller's thread, which is awake already: on an idle
    /// server of two processors the run took half as long again if another thread was woken for it. Otherwise the same as
    /// <see cref="BatchItem.Commit"/>.
    /// </summary>
    public Task<BatchResult> CommitOnCaller(BatchItem item, CancellationToken cancellationToken)
    {
        if (!_callerRun.TryEnter())
        {
            return item.Commit(cancellationToken);
        }
        try
        {
            if (item.CommitAndTake(cancellationToken) is { } batch)
            {
                Run(batch, isCaller: true);
            }
        }
        finally
        {
            _callerRun.Exit();
        }
        return item.Task;
    }

    /// <summary>
    /// Stops the queue, waits for the current runs, and unloads the session. A second call waits for the first.
    /// </summary>
    /// <remarks>
    /// The model disposes its runner when it is disposed itself, and items that fail because of it release their leases, of
    /// which the last disposes the runner as well. ONNX Runtime would free a session twice if both unloaded it at a time.
    /// </remarks>
    public void Dispose()
    {
        lock (_disposal)
        {
            if (_disposed)
            {
                return;
            }
            _disposed = true;
            Queue.Stop();
            Trials.Dispose();
            foreach (var thread in _threads)
            {
                thread.Join();
            }
            lock (_callerRun)
            {
                // A run on a caller's thread has ended; a stopped queue starts no other.
            }
            Queue.Dispose();
            Session.Dispose();
        }
    }

    private static void Complete((BatchItem Item, BatchResult Result)[] results)
    {
        foreach (var (item, result) in results)
        {
            item.TrySetResult(result);
        }
    }

    private void RunAll()
    {
        while (Queue.Take() is { } batch)
        {
            Run(batch, isCaller: false);
        }
    }

    private void Run(Batch batch, bool isCaller)
    {
        var items = batch.Compact();
        if (items.Length > 0 && !TryRun(batch, items, 0, isCaller))
        {
            // One bad item must not fail its neighbours: each item gets a run of its own.
            for (var i = 0; i < items.Length; i++)
            {
                TryRun(batch, items.Slice(i, 1), i, isCaller);
            }
        }
        Queue.Return(batch);
    }

    /// <summary>
    /// Runs the items of the tensor from <paramref name="first"/> on. False, with no item completed, if several failed
    /// together.
    /// </summary>
    private bool TryRun(Batch batch, ReadOnlySpan<BatchItem> items, int first, bool isCaller)
    {
        var model = Session.Model.Name;
        var began = _time.GetTimestamp();
        try
        {
            Session.Run(batch.Slot, batch.Tensor, first, items.Length);
        }
        catch (Exception e) when (items.Length > 1)
        {
            CoreLog.BatchFailed(_log, e, model, items.Length);
            return false;
        }
        catch (Exception e)
        {
            CoreLog.ItemFailed(_log, e, model);
            var fault = new Fault(FaultKind.Internal, Reasons.InferenceFailed, $"Model '{model}' failed on this item.")
                .With(FaultKeys.Model, model);
            ThreadPool.UnsafeQueueUserWorkItem(
                static failed => failed.Item.TrySetException(failed.Fault), (Item: items[0], Fault: fault), preferLocal: false);
            return true;
        }
        var ran = _time.GetElapsedTime(began);
        batch.HasRun(items.Length, ran);
        _metrics.BatchRan(model, items.Length, ran);
        var results = new (BatchItem Item, BatchResult Result)[items.Length];
        for (var i = 0; i < items.Length; i++)
        {
            var queued = _time.GetElapsedTime(items[i].Committed, began);
            results[i] = (items[i], new(batch.Tensor.TakeResult(first + i), items.Length, queued, ran));
        }
        if (isCaller)
        {
            // Nothing awaits it yet: its caller is this thread.
            Complete(results);
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(Complete, results, preferLocal: false);
        }
        return true;
    }
}
