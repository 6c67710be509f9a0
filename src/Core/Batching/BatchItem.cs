namespace Embeddings.Core.Batching;

/// <summary>The outcome of a run for one item.</summary>
/// <param name="Vector">
/// The model's raw vector, or what its outputs mean if it does not embed (<see cref="Inference.OutputDecoder"/>); it belongs to
/// the item.
/// </param>
/// <param name="BatchSize">Items in the run.</param>
/// <param name="Queued">Time from commit to the start of the run.</param>
/// <param name="Ran">Duration of the run.</param>
internal readonly record struct BatchResult(float[] Vector, int BatchSize, TimeSpan Queued, TimeSpan Ran);

/// <summary>
/// An item's place in a batch. The caller that reserved it fills <see cref="Tensor"/> and then calls <see cref="Commit"/> or
/// <see cref="Abandon"/>, exactly one of them and soon: the batch cannot run before.
/// </summary>
/// <remarks>
/// A caller's code must not run on the inference thread and hold it up. Continuations run on the thread that completes the
/// item, and that is never the inference thread: the runner hands all results of a batch to the thread pool together, which
/// costs one wake-up instead of one for each item.
/// </remarks>
internal sealed class BatchItem(BatchQueue queue, Batch batch, int index, QueueOwner owner) : TaskCompletionSource<BatchResult>
{
    /// <summary>The caller.</summary>
    public QueueOwner Owner { get; } = owner;

    /// <summary>The item's input: channels x height x width floats.</summary>
    public Span<float> Tensor => Batch.Tensor.Item(Index);

    public Batch Batch { get; } = batch;

    public int Index { get; } = index;

    /// <summary>Timestamp of the commit.</summary>
    public long Committed { get; private set; }

    /// <summary>Cancelled if the caller has gone or its deadline has passed.</summary>
    public CancellationToken Cancellation { get; private set; }

    public bool Abandoned { get; private set; }

    /// <summary>
    /// Marks the input complete. The task ends with the item's run; items cancelled before it do not run.
    /// </summary>
    public Task<BatchResult> Commit(CancellationToken cancellationToken)
    {
        Complete(cancellationToken);
        queue.Filled(this);
        return Task;
    }

    /// <summary>
    /// Commits for a caller that can run a batch on its own thread: returns the batch if this item is alone in it and nothing
    /// else runs or waits, or null if the queue's threads run it.
    /// </summary>
    public Batch? CommitAndTake(CancellationToken cancellationToken)
    {
        Complete(cancellationToken);
        return queue.Filled(this, take: true);
    }

    /// <summary>Gives the place up without an input; the item does not run.</summary>
    public void Abandon()
    {
        Abandoned = true;
        queue.Filled(this);
    }

    private void Complete(CancellationToken cancellationToken)
    {
        Cancellation = cancellationToken;
        Committed = queue.Time.GetTimestamp();
    }
}
