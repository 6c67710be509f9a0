using Embeddings.Core.Inference;

namespace Embeddings.Core.Batching;

/// <summary>
/// Tries batch sizes for one model (<see cref="BatchSizer"/>) with runs of its own, on images that are drawn for it: no caller
/// gets their results, and the batches of callers never have a size that is only tried. The runs are concurrent as they are
/// under load. Thread-safe.
/// </summary>
internal sealed class BatchTrials(IEmbeddingSession session, BatchQueue queue, int known) : IDisposable
{
    // Of the duration of a run that has not been made yet, over what the others suggest.
    private const double Margin = 1.5;

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _unloaded = new();
    private readonly BatchSizer _sizer = new(session.MaxBatch, known);
    // One for each concurrent run, kept from one run to the next.
    private readonly List<BatchTensor> _tensors = [];
    private int _drawn;
    private TimeSpan _longestPerItem;

    /// <summary>The best size so far.</summary>
    public int Size => _sizer.Size;

    /// <summary>
    /// True if the best size is not known yet, and callers have filled a batch: a model without load needs no trial, nor the
    /// memory for it.
    /// </summary>
    public bool AreWanted => !_sizer.IsSettled && queue.TimePerItem > TimeSpan.Zero;

    /// <summary>Duration that the next run will most likely not exceed.</summary>
    public TimeSpan Expected
    {
        get
        {
            // The runs of callers share the processors just as these do.
            var perItem = _longestPerItem > queue.TimePerItem ? _longestPerItem : queue.TimePerItem;
            return perItem * _sizer.Next() * Margin;
        }
    }

    private (int First, int Count) Slots => session.SingleThreadedRuns > 0
        ? (session.MultiThreadedRuns, session.SingleThreadedRuns)
        : (0, session.MultiThreadedRuns);

    /// <summary>
    /// Runs one image, so that the first call does not wait for the weights to be read from the disk. Not part of a trial.
    /// </summary>
    /// <param name="cancellationToken">Ends the run early.</param>
    public void WarmUp(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _unloaded.Token);
            try
            {
                ending.Token.ThrowIfCancellationRequested();
                using var tensor = session.CreateTensor();
                ProbeImage.Draw(tensor.Item(0), session.Model.Manifest.Input, 0);
                session.Try(0, tensor, 1, releaseMemory: false, ending.Token);
            }
            catch (OperationCanceledException)
            {
                // A call has arrived, which does the same.
            }
        }
    }

    /// <summary>
    /// Makes the next run. After a trial that was lost, gives back the memory that it needed. If a run fails, there are no more,
    /// and its exception is thrown.
    /// </summary>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the run early; it does not count then.</param>
    /// <returns>True if it was the last one: the best size is known.</returns>
    public bool Run(TimeProvider time, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _unloaded.Token);
            var size = _sizer.Next();
            try
            {
                // After the end of the model as well.
                ending.Token.ThrowIfCancellationRequested();
                Prepare(size);
                var began = time.GetTimestamp();
                RunAll(size, releaseMemory: false, ending.Token);
                var duration = time.GetElapsedTime(began);
                if (_longestPerItem * size < duration)
                {
                    _longestPerItem = duration / size;
                }
                var hasLost = _sizer.Ran(size, duration);
                queue.BatchSize = _sizer.Size;
                if (hasLost)
                {
                    RunAll(1, releaseMemory: true, ending.Token);
                }
            }
            catch (OperationCanceledException)
            {
                // A call has arrived, which needs the memory as well; or the model is being unloaded.
                Free();
                return false;
            }
            catch
            {
                _sizer.Stop();
                Free();
                throw;
            }
            if (_sizer.IsSettled)
            {
                Free();
            }
            return _sizer.IsSettled;
        }
    }

    /// <summary>Leaves out the size that would be tried next, since its runs take too long.</summary>
    /// <returns>True if it was the last one: the best size is known.</returns>
    public bool Skip()
    {
        lock (_lock)
        {
            _sizer.Skip();
            if (_sizer.IsSettled)
            {
                Free();
            }
            return _sizer.IsSettled;
        }
    }

    /// <summary>Ends the current run, and those to come.</summary>
    public void Dispose()
    {
        // Not disposed: it holds nothing, and a run may be about to use it.
        _unloaded.Cancel();
        lock (_lock)
        {
            Free();
        }
    }

    private void Free()
    {
        _tensors.ForEach(static tensor => tensor.Dispose());
        _tensors.Clear();
        _drawn = 0;
    }

    private void Prepare(int size)
    {
        while (_tensors.Count < Slots.Count)
        {
            _tensors.Add(session.CreateTensor());
        }
        for (; _drawn < size; _drawn++)
        {
            foreach (var tensor in _tensors)
            {
                if (_drawn == 0)
                {
                    ProbeImage.Draw(tensor.Item(0), session.Model.Manifest.Input, 0);
                }
                else
                {
                    tensor.Item(0).CopyTo(tensor.Item(_drawn));
                }
            }
        }
    }

    private void RunAll(int size, bool releaseMemory, CancellationToken cancellationToken)
    {
        var (first, count) = Slots;
        // Not on threads of the pool, which a call that arrives needs at once.
        var others = Enumerable.Range(1, count - 1).Select(i => Task.Factory.StartNew(
            () => Try(i), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();
        try
        {
            Try(0);
        }
        finally
        {
            // The tensors are in use until then.
            Task.WhenAll(others).ContinueWith(static all => _ = all.Exception, TaskScheduler.Default).Wait(CancellationToken.None);
        }
        Task.WhenAll(others).GetAwaiter().GetResult();

        void Try(int i) => session.Try(first + i, _tensors[i], size, releaseMemory, cancellationToken);
    }
}
