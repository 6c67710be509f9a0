using System.Numerics;

namespace Embeddings.Storage.Sqlite.Approximate;

/// <summary>
/// A set of row numbers as a bitmap in pages: one bit per row where rows are close together, as they are in a table, and nothing for
/// ranges without rows. Not thread-safe.
/// </summary>
internal sealed class RowBits
{
    private const int PageShift = 12;
    private const int PageWords = (1 << PageShift) / 64;

    private readonly Dictionary<long, Page> _pages = [];

    /// <summary>The number of rows.</summary>
    public long Count { get; private set; }

    /// <summary>Adds a row. Returns false if it is in the set already.</summary>
    public bool Add(long row)
    {
        if (!_pages.TryGetValue(row >> PageShift, out var page))
        {
            _pages.Add(row >> PageShift, page = new Page());
        }

        ref var word = ref page.Word(row, out var bit);
        if ((word & bit) != 0)
        {
            return false;
        }

        word |= bit;
        page.Count++;
        Count++;
        return true;
    }

    /// <summary>Removes a row. Returns false if it is not in the set.</summary>
    public bool Remove(long row)
    {
        if (!_pages.TryGetValue(row >> PageShift, out var page))
        {
            return false;
        }

        ref var word = ref page.Word(row, out var bit);
        if ((word & bit) == 0)
        {
            return false;
        }

        word &= ~bit;
        Count--;
        if (--page.Count == 0)
        {
            _pages.Remove(row >> PageShift);
        }

        return true;
    }

    public bool Contains(long row) =>
        _pages.TryGetValue(row >> PageShift, out var page) && (page.Word(row, out var bit) & bit) != 0;

    /// <summary>Returns some rows, at most <paramref name="most"/>, in no particular order.</summary>
    public long[] Some(long most)
    {
        var rows = new long[Math.Min(most, Count)];
        var found = 0;
        foreach (var (number, page) in _pages)
        {
            for (var i = 0; i < PageWords && found < rows.Length; i++)
            {
                for (var word = page.Words[i]; word != 0 && found < rows.Length; word &= word - 1)
                {
                    rows[found++] = (number << PageShift) + (i * 64) + BitOperations.TrailingZeroCount(word);
                }
            }

            if (found == rows.Length)
            {
                break;
            }
        }

        return rows;
    }

    /// <summary>Returns all rows, in no particular order.</summary>
    public long[] ToArray() => Some(long.MaxValue);

    public void Clear()
    {
        _pages.Clear();
        Count = 0;
    }

    private sealed class Page
    {
        public readonly ulong[] Words = new ulong[PageWords];

        public int Count { get; set; }

        public ref ulong Word(long row, out ulong bit)
        {
            bit = 1UL << (int)(row & 63);
            return ref Words[(row >> 6) & (PageWords - 1)];
        }
    }
}
