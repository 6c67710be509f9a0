using Embeddings.Server.Diagnostics;
using Embeddings.Server.Inference;

namespace Embeddings.Server.Batching;

/// <summary>Takes batches from a queue and runs them, one thread for each run that may go on at once.</summary>
internal sealed class BatchRunner : IDisposable
{
    private readonly IEmbeddingModel _model;
    private readonly BatchQueue _queue;
    private readonly EmbeddingMetrics _metrics;
    private readonly ILogger _log;
    private readonly Thread[] _threads;

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
            var number = i;
            _threads[i] = new Thread(() => RunAll(number)) { IsBackground = true, Name = $"{model.Manifest.Name}#{i}" };
            _threads[i].Start();
        }
    }

    /// <summary>Stops the queue and waits for the runs that are going on.</summary>
    public void Dispose()
    {
        _queue.Stop();
        foreach (var thread in _threads)
        {
            thread.Join();
        }
    }

    private void RunAll(int number)
    {
        // Beside narrow runs there is one wide session, and the queue gives it to one thread at a time.
        var wide = _model.NarrowRuns > 0 ? 0 : number;
        var narrow = _model.Sessions + number;
        while (_queue.Take() is { } batch)
        {
            var items = batch.Compact();
            var slot = batch.IsNarrow ? narrow : wide;
            if (items.Length > 0 && !TryRun(slot, batch, items, 0))
            {
                // One poisoned item must not fail its neighbours: each gets a run of its own.
                for (var i = 0; i < items.Length; i++)
                {
                    TryRun(slot, batch, items.Slice(i, 1), i);
                }
            }
            _queue.Return(batch);
        }
    }

    private static void Answer((BatchItem Item, BatchResult Result)[] answers)
    {
        foreach (var (item, result) in answers)
        {
            item.TrySetResult(result);
        }
    }

    /// <summary>Runs items that lie in the tensor from <paramref name="first"/> on. False, with nobody answered, where several failed together.</summary>
    private bool TryRun(int slot, Batch batch, ReadOnlySpan<BatchItem> items, int first)
    {
        var began = _queue.Time.GetTimestamp();
        try
        {
            _model.Run(slot, batch.Tensor, first, items.Length);
        }
        catch (Exception e) when (items.Length > 1)
        {
            Log.BatchFailed(_log, e, _model.Manifest.Name, items.Length);
            return false;
        }
        catch (Exception e)
        {
            Log.ItemFailed(_log, e, _model.Manifest.Name);
            var fault = new Fault(FaultKind.Internal, Reasons.InferenceFailed, $"the model '{_model.Manifest.Name}' failed on this item");
            ThreadPool.UnsafeQueueUserWorkItem(static failed => failed.Item.TrySetException(failed.Fault), (Item: items[0], Fault: fault), preferLocal: false);
            return true;
        }
        var ran = _queue.Time.GetElapsedTime(began);
        _metrics.BatchRan(_model.Manifest.Name, items.Length, ran);
        var answers = new (BatchItem Item, BatchResult Result)[items.Length];
        for (var i = 0; i < items.Length; i++)
        {
            var queued = _queue.Time.GetElapsedTime(items[i].Committed, began);
            answers[i] = (items[i], new(batch.Tensor.Vector(first + i).ToArray(), items.Length, queued, ran));
        }
        ThreadPool.UnsafeQueueUserWorkItem(Answer, answers, preferLocal: false);
        return true;
    }
}
