using Embeddings.Core.Inference;

namespace Embeddings.Core.Batching;

/// <summary>A tensor and the items in it. Belongs to its queue, which alone changes it, under its lock.</summary>
internal sealed class Batch(BatchTensor tensor)
{
    private readonly BatchItem?[] _items = new BatchItem?[tensor.Capacity];

    public BatchTensor Tensor { get; } = tensor;

    /// <summary>Number of reserved places.</summary>
    public int Reserved { get; private set; }

    /// <summary>Number of reserved places whose input is complete or was abandoned.</summary>
    public int Filled { get; private set; }

    /// <summary>Timestamp of the first commit; 0 before it.</summary>
    public long FirstCommitted { get; private set; }

    /// <summary>The run slot of the session, once the batch is taken.</summary>
    public int Slot { get; set; }

    /// <summary>Number of items at which the batch is full, from 1 to the tensor's capacity.</summary>
    public int Size { get; set; } = tensor.Capacity;

    /// <summary>Number of items that ran together; 0 if none did.</summary>
    public int Ran { get; private set; }

    /// <summary>Duration of that run.</summary>
    public TimeSpan Duration { get; private set; }

    /// <summary>True if the batch goes past those that wait: it is for callers that have nothing in them.</summary>
    public bool IsExpress { get; set; }

    /// <summary>True if a caller had other items waiting when it reserved a place here.</summary>
    public bool IsCrowded { get; private set; }

    public bool IsFull => Reserved == Size;

    public bool IsFilling => Filled < Reserved;

    /// <summary>True if an input is complete, or if no more can come.</summary>
    public bool HasWork => FirstCommitted != 0 || (IsFull && !IsFilling);

    /// <summary>True if the batch is large enough to run concurrently with others.</summary>
    public bool IsHalfFilled => Filled >= HalfFull;

    private int HalfFull => (Size + 1) / 2;

    public BatchItem Reserve(BatchQueue queue, QueueOwner owner)
    {
        if (!IsExpress)
        {
            IsCrowded |= owner.Places > 0;
            owner.Places++;
        }
        var item = new BatchItem(queue, this, Reserved, owner);
        _items[Reserved++] = item;
        return item;
    }

    /// <summary>Marks the batch as taken: its items wait no longer.</summary>
    public void Take()
    {
        if (IsExpress)
        {
            return;
        }
        for (var i = 0; i < Reserved; i++)
        {
            _items[i]!.Owner.Places--;
        }
    }

    /// <summary>
    /// Counts a place as filled, whether committed or abandoned. True for the first commit and for the place that makes the
    /// batch half full.
    /// </summary>
    public bool Fill(BatchItem item)
    {
        Filled++;
        if (item.Abandoned || FirstCommitted != 0)
        {
            return Filled == HalfFull;
        }
        FirstCommitted = item.Committed;
        return true;
    }

    /// <summary>
    /// Drops abandoned and cancelled items, closes the gaps with inputs from the end, and returns the remaining items, which
    /// are then at the front of the tensor. Called only when no input is being written any more.
    /// </summary>
    public ReadOnlySpan<BatchItem> Compact()
    {
        var live = 0;
        for (var end = Reserved; live < end;)
        {
            var item = _items[live]!;
            if (IsLive(item))
            {
                live++;
                continue;
            }
            // The last live item fills the gap.
            var last = _items[--end]!;
            if (last != item && IsLive(last))
            {
                last.Tensor.CopyTo(Tensor.Item(live));
                _items[live++] = last;
            }
        }
        return _items.AsSpan(0, live)!;
    }

    /// <summary>Records a run of several items.</summary>
    public void HasRun(int items, TimeSpan duration)
    {
        Ran = items;
        Duration = duration;
    }

    /// <summary>Empties the batch for its next use.</summary>
    public void Reset()
    {
        Array.Clear(_items);
        Reserved = 0;
        Filled = 0;
        FirstCommitted = 0;
        Ran = 0;
        IsExpress = false;
        IsCrowded = false;
    }

    private static bool IsLive(BatchItem item)
    {
        if (item.Abandoned)
        {
            return false;
        }
        if (item.Cancellation.IsCancellationRequested)
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                static item => item.TrySetCanceled(item.Cancellation), item, preferLocal: false);
            return false;
        }
        return true;
    }
}

/// <summary>
/// The batches of one queue. Each has a tensor that is created when first needed and then reused; their number bounds the
/// memory. Belongs to its queue, which alone changes it, under its lock.
/// </summary>
/// <param name="session">Creates the tensors.</param>
/// <param name="maxBatches">Most batches at a time, at least 1. An express batch is one more.</param>
internal sealed class BatchPool(IEmbeddingSession session, int maxBatches) : IDisposable
{
    private readonly Stack<Batch> _free = new();
    private int _used;

    /// <summary>An empty batch, or null while all are in use.</summary>
    /// <param name="size">Number of items at which it is full; an express batch is full at its capacity.</param>
    /// <param name="isExpress">True for an express batch.</param>
    public Batch? TryOpen(int size, bool isExpress = false)
    {
        if (_used >= (isExpress ? maxBatches + 1 : maxBatches))
        {
            return null;
        }
        _used++;
        var batch = _free.TryPop(out var free) ? free : new Batch(session.CreateTensor());
        batch.IsExpress = isExpress;
        batch.Size = isExpress ? batch.Tensor.Capacity : size;
        return batch;
    }

    /// <summary>Takes a batch back that is not in use any more.</summary>
    public void Return(Batch batch)
    {
        batch.Reset();
        _used--;
        _free.Push(batch);
    }

    /// <summary>Frees the tensors of the batches that are not in use.</summary>
    public void Dispose()
    {
        foreach (var batch in _free)
        {
            batch.Tensor.Dispose();
        }
        _free.Clear();
    }
}
