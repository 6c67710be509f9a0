using Embeddings.Core.Inference;
using Embeddings.Primitives;

namespace Embeddings.Core.Batching;

/// <summary>Takes batches from a queue and runs them, one thread for each run that may go on at once.</summary>
internal sealed class BatchRunner : IDisposable
{
    private readonly IEmbeddingModel _model;
    private readonly BatchQueue _queue;
    private readonly EmbeddingMetrics _metrics;
    private readonly ILogger _log;
    private readonly Thread[] _threads;
    // Held by the caller that runs its item itself.
    private readonly Lock _here = new();

    public BatchRunner(IEmbeddingModel model, BatchQueue queue, EmbeddingMetrics metrics, ILogger log)
    {
        _model = model;
        _queue = queue;
        _metrics = metrics;
        _log = log;
        // Threads of their own: a run blocks for milliseconds, and the pool's threads are for requests.
        _threads = new Thread[Math.Max(model.Sessions, model.NarrowRuns)];
        for (var i = 0; i < _threads.Length; i++)
        {
            _threads[i] = new Thread(RunAll) { IsBackground = true, Name = $"{model.Manifest.Name}#{i}" };
            _threads[i].Start();
        }
    }

    /// <summary>
    /// Commits an item and, where nothing else goes on or waits, runs it on the caller's thread, which is awake already: on an idle server of two processors the
    /// run took half as long again where another thread was woken for it. Elsewhere it is as <see cref="BatchItem.Commit"/>.
    /// </summary>
    public Task<BatchResult> Commit(BatchItem item, CancellationToken cancellationToken)
    {
        if (!_here.TryEnter())
        {
            return item.Commit(cancellationToken);
        }
        try
        {
            if (item.CommitAndTake(cancellationToken) is { } batch)
            {
                Run(batch, isHere: true);
            }
        }
        finally
        {
            _here.Exit();
        }
        return item.Task;
    }

    /// <summary>Stops the queue and waits for the runs that are going on.</summary>
    public void Dispose()
    {
        _queue.Stop();
        foreach (var thread in _threads)
        {
            thread.Join();
        }
        lock (_here)
        {
            // Whoever runs an item here has ended; the queue gives no other.
        }
    }

    private void RunAll()
    {
        while (_queue.Take() is { } batch)
        {
            Run(batch, isHere: false);
        }
    }

    private static void Answer((BatchItem Item, BatchResult Result)[] answers)
    {
        foreach (var (item, result) in answers)
        {
            item.TrySetResult(result);
        }
    }

    private void Run(Batch batch, bool isHere)
    {
        var items = batch.Compact();
        if (items.Length > 0 && !TryRun(batch, items, 0, isHere))
        {
            // One poisoned item must not fail its neighbours: each gets a run of its own.
            for (var i = 0; i < items.Length; i++)
            {
                TryRun(batch, items.Slice(i, 1), i, isHere);
            }
        }
        _queue.Return(batch);
    }

    /// <summary>Runs items that lie in the tensor from <paramref name="first"/> on. False, with nobody answered, where several failed together.</summary>
    private bool TryRun(Batch batch, ReadOnlySpan<BatchItem> items, int first, bool isHere)
    {
        var began = _queue.Time.GetTimestamp();
        try
        {
            _model.Run(batch.Slot, batch.Tensor, first, items.Length);
        }
        catch (Exception e) when (items.Length > 1)
        {
            CoreLog.BatchFailed(_log, e, _model.Manifest.Name, items.Length);
            return false;
        }
        catch (Exception e)
        {
            CoreLog.ItemFailed(_log, e, _model.Manifest.Name);
            var fault = new Fault(FaultKind.Internal, Reasons.InferenceFailed, $"the model '{_model.Manifest.Name}' failed on this item");
            ThreadPool.UnsafeQueueUserWorkItem(static failed => failed.Item.TrySetException(failed.Fault), (Item: items[0], Fault: fault), preferLocal: false);
            return true;
        }
        var ran = _queue.Time.GetElapsedTime(began);
        batch.HasRun(items.Length, ran);
        _metrics.BatchRan(_model.Manifest.Name, items.Length, ran);
        var answers = new (BatchItem Item, BatchResult Result)[items.Length];
        for (var i = 0; i < items.Length; i++)
        {
            var queued = _queue.Time.GetElapsedTime(items[i].Committed, began);
            answers[i] = (items[i], new(batch.Tensor.Vector(first + i).ToArray(), items.Length, queued, ran));
        }
        if (isHere)
        {
            // Nobody awaits it yet: its caller is what runs it.
            Answer(answers);
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(Answer, answers, preferLocal: false);
        }
        return true;
    }
}
