using System.Runtime.InteropServices;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// The slot of each row, in pages of consecutive row numbers: about 4 bytes per row, a tenth of a dictionary, and it never has to
/// be built again to grow. Row numbers are given in ascending order, so the pages are full until rows are deleted.
/// </summary>
internal sealed class RowSlots
{
    private const int PageBits = 8;
    private const int PageRows = 1 << PageBits;

    private readonly Dictionary<long, Page> _pages = [];
    private long _lastKey = long.MinValue;
    private Page? _last;

    /// <summary>Returns the slot of a row, or -1.</summary>
    public int Find(long row) => _pages.TryGetValue(row >> PageBits, out var page) ? page.Slots[row & (PageRows - 1)] - 1 : -1;

    /// <summary>Adds a row, or changes its slot.</summary>
    public void Set(long row, int slot)
    {
        var key = row >> PageBits;
        if (_last is null || _lastKey != key)
        {
            ref var page = ref CollectionsMarshal.GetValueRefOrAddDefault(_pages, key, out _);
            (_last, _lastKey) = (page ??= new Page(), key);
        }

        ref var place = ref _last.Slots[row & (PageRows - 1)];
        _last.Count += place == 0 ? 1 : 0;
        place = slot + 1;
    }

    /// <summary>Removes a row and returns its slot, or -1.</summary>
    public int Remove(long row)
    {
        var key = row >> PageBits;
        if (!_pages.TryGetValue(key, out var page))
        {
            return -1;
        }

        ref var place = ref page.Slots[row & (PageRows - 1)];
        var slot = place - 1;
        if (slot >= 0)
        {
            place = 0;
            if (--page.Count == 0)
            {
                _pages.Remove(key);
                _last = null;
            }
        }

        return slot;
    }

    public void Clear()
    {
        _pages.Clear();
        _last = null;
    }

    private sealed class Page
    {
        // The slot plus one; 0 if there is no such row.
        public readonly int[] Slots = new int[PageRows];

        public int Count { get; set; }
    }
}
