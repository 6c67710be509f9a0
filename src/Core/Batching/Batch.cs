using Embeddings.Core.Inference;

namespace Embeddings.Core.Batching;

/// <summary>A tensor and who sits in it. Belongs to its queue, which alone changes it, under its lock.</summary>
internal sealed class Batch(BatchTensor tensor)
{
    private readonly BatchItem?[] _items = new BatchItem?[tensor.Capacity];

    public BatchTensor Tensor { get; } = tensor;

    /// <summary>Places given away.</summary>
    public int Reserved { get; private set; }

    /// <summary>Places given away whose input is complete, or never will be.</summary>
    public int Filled { get; private set; }

    /// <summary>When the first input was complete, in the clock's ticks; 0 before.</summary>
    public long FirstCommitted { get; private set; }

    /// <summary>The model's slot that it runs in, once it is taken.</summary>
    public int Slot { get; set; }

    /// <summary>At how many items it is full, 1 to what the tensor has room for.</summary>
    public int Size { get; set; } = tensor.Capacity;

    /// <summary>Items that ran together; 0 where none did.</summary>
    public int Ran { get; private set; }

    /// <summary>How long that run took.</summary>
    public TimeSpan Took { get; private set; }

    public bool IsFull => Reserved == Size;

    public bool IsFilling => Filled < Reserved;

    public BatchItem Reserve(BatchQueue queue)
    {
        var item = new BatchItem(queue, this, Reserved);
        _items[Reserved++] = item;
        return item;
    }

    /// <summary>Whether it is worth a run beside others.</summary>
    public bool IsHalfFilled => Filled >= HalfFull;

    private int HalfFull => (Size + 1) / 2;

    /// <summary>An item's input is complete, or never will be. True for the first that is, and for the one that makes the batch half full.</summary>
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
    /// Drops the abandoned and the cancelled, closes the gaps with inputs from the end, and returns who is left, at the front of the tensor. Called once no
    /// input is being written any more.
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
            // The next to fill the gap comes from the end; where that one is gone too, the one before it.
            var last = _items[--end]!;
            if (last != item && IsLive(last))
            {
                last.Tensor.CopyTo(Tensor.Item(live));
                _items[live++] = last;
            }
        }
        return _items.AsSpan(0, live)!;
    }

    /// <summary>So many items have run together.</summary>
    public void HasRun(int items, TimeSpan took) => (Ran, Took) = (items, took);

    /// <summary>Empties it for its next use.</summary>
    public void Reset()
    {
        Array.Clear(_items);
        Reserved = 0;
        Filled = 0;
        FirstCommitted = 0;
        Ran = 0;
    }

    private static bool IsLive(BatchItem item)
    {
        if (item.Abandoned)
        {
            return false;
        }
        if (item.Cancellation.IsCancellationRequested)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static item => item.TrySetCanceled(item.Cancellation), item, preferLocal: false);
            return false;
        }
        return true;
    }
}
