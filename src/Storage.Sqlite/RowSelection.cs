using System.Numerics;

namespace Embeddings.Storage.Sqlite;

/// <summary>The points of a collection that a search with a filter scans.</summary>
internal abstract class RowSelection
{
    /// <summary>
    /// Returns the selection if the indexes in memory answer the filter; null if it has to be read from the file, or if the filter is
    /// empty.
    /// </summary>
    public static RowSelection? InMemory(CollectionIndex index, PointFilter filter) =>
        !filter.IsEmpty && index.Attributes.Cover(filter) ? new IndexedRows(filter) : null;

    /// <summary>The number of points, which may be an upper bound.</summary>
    public abstract long Estimate(CollectionIndex index);

    /// <summary>Returns the slots. The caller holds the collection's gate.</summary>
    public abstract SlotSet Slots(CollectionIndex index);
}

/// <summary>
/// Slots to scan. Few are a list in ascending order, so that memory is read in one direction. Many are bits: then it is faster to compare
/// all vectors in sequence, and to ignore the others, than to skip them.
/// </summary>
internal sealed class SlotSet
{
    private readonly SlotBits? _bits;

    /// <param name="bits">The slots.</param>
    public SlotSet(SlotBits bits)
    {
        _bits = bits;
        Count = bits.Cardinality;
        if (5L * Count < 2L * bits.Count)
        {
            List = bits.ToSlots();
        }
    }

    /// <param name="slots">The slots, in ascending order.</param>
    public SlotSet(int[] slots) => (List, Count) = (slots, slots.Length);

    /// <summary>The slots if they are few; otherwise null, and all have to be scanned for which <see cref="Contains"/> returns true.</summary>
    public int[]? List { get; }

    public int Count { get; }

    public bool Contains(int slot) => _bits?.Contains(slot) ?? (Array.BinarySearch(List!, slot) >= 0);
}

/// <summary>Points selected by indexes in memory, at the time of the scan.</summary>
internal sealed class IndexedRows(PointFilter filter) : RowSelection
{
    public override long Estimate(CollectionIndex index) => index.Count;

    public override SlotSet Slots(CollectionIndex index) =>
        new(index.Attributes.Find(filter, index.Count) ?? throw new IndexRemovedException());
}

/// <summary>Points selected by a query on the file: a set of row numbers, as bits in pages of 64 Ki.</summary>
internal sealed class SelectedRows : RowSelection
{
    private const int PageBits = 1 << 16;

    private readonly SortedDictionary<long, ulong[]> _pages = [];
    private ulong[] _last = [];
    private long _lastPage = -1;
    private int _count;

    /// <summary>Adds a row, which was not added before.</summary>
    public void Add(long row)
    {
        var page = row / PageBits;
        if (page != _lastPage)
        {
            if (!_pages.TryGetValue(page, out _last!))
            {
                _pages.Add(page, _last = new ulong[PageBits / 64]);
            }

            _lastPage = page;
        }

        var bit = (int)(row % PageBits);
        _last[bit / 64] |= 1UL << (bit % 64);
        _count++;
    }

    public override long Estimate(CollectionIndex index) => _count;

    public override SlotSet Slots(CollectionIndex index)
    {
        var slots = new SlotBits(index.Count);
        foreach (var (page, words) in _pages)
        {
            for (var i = 0; i < words.Length; i++)
            {
                for (var word = words[i]; word != 0; word &= word - 1)
                {
                    // Rows that were deleted since are gone.
                    if (index.Slot((page * PageBits) + (i * 64) + BitOperations.TrailingZeroCount(word)) is >= 0 and var slot)
                    {
                        slots.Add(slot);
                    }
                }
            }
        }

        return new SlotSet(slots);
    }
}

/// <summary>Points selected while the collection's gate is held.</summary>
/// <param name="slots">The slots, in ascending order.</param>
internal sealed class SelectedSlots(int[] slots) : RowSelection
{
    public override long Estimate(CollectionIndex index) => slots.Length;

    public override SlotSet Slots(CollectionIndex index) => new(slots);
}

/// <summary>An index was removed between the start of a search and its scan, which must be repeated without it.</summary>
internal sealed class IndexRemovedException : Exception;
