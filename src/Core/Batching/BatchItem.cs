namespace Embeddings.Core.Batching;

/// <summary>
/// One item's place in a batch. Whoever reserved it fills <see cref="Tensor"/> and then calls <see cref="Commit"/> or <see cref="Abandon"/>, exactly one
/// and soon: the batch cannot run before.
/// </summary>
internal sealed class BatchItem : TaskCompletionSource<BatchResult>
{
    private readonly BatchQueue _queue;

    /// <remarks>
    /// A caller's code must not run on, and so hold up, the inference thread. Continuations run where the item is completed, and that is never there: the
    /// runner hands the answers of a batch to the thread pool together, which costs one wake-up instead of one for each item.
    /// </remarks>
    public BatchItem(BatchQueue queue, Batch batch, int index)
    {
        _queue = queue;
        Batch = batch;
        Index = index;
    }

    /// <summary>Where the item's input goes: 3 x height x width floats.</summary>
    public Span<float> Tensor => Batch.Tensor.Item(Index);

    public Batch Batch { get; }

    public int Index { get; }

    /// <summary>When it was committed, in the clock's ticks.</summary>
    public long Committed { get; private set; }

    /// <summary>Cancelled where the caller has gone or its deadline has passed.</summary>
    public CancellationToken Cancellation { get; private set; }

    public bool Abandoned { get; private set; }

    /// <summary>The input is complete. The task ends with the item's run; cancelled items are dropped before it.</summary>
    public Task<BatchResult> Commit(CancellationToken cancellationToken)
    {
        Complete(cancellationToken);
        _queue.Filled(this);
        return Task;
    }

    /// <summary><see cref="Commit"/> by a caller that can run a batch itself. The batch to run, which has this item alone; null where somebody else will.</summary>
    public Batch? CommitAndTake(CancellationToken cancellationToken)
    {
        Complete(cancellationToken);
        return _queue.Filled(this, take: true);
    }

    /// <summary>There will be no input; the item does not run.</summary>
    public void Abandon()
    {
        Abandoned = true;
        _queue.Filled(this);
    }

    private void Complete(CancellationToken cancellationToken)
    {
        Cancellation = cancellationToken;
        Committed = _queue.Time.GetTimestamp();
    }
}
