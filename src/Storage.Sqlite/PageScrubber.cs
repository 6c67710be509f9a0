using System.Buffers.Binary;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Overwrites the unused bytes of pages with zeros. SQLite's <c>secure_delete</c> does that for cells that are deleted. But when
/// SQLite distributes cells over pages again, copies of cells that moved stay in the unused part of their old page and would
/// outlive the points.
/// </summary>
/// <remarks>
/// It writes to the file without SQLite: only bytes that do not belong to any cell (file format, section 1.6), and only while
/// no checkpoint writes to the file, which <paramref name="gate"/> ensures. SQLite never uses those bytes.
/// </remarks>
/// <param name="file">The database file.</param>
/// <param name="pageBytes">The size of a page.</param>
/// <param name="gate">Held by everyone who writes to the file.</param>
internal sealed class PageScrubber(DurableFile file, int pageBytes, Lock gate)
{
    // Overflow pages begin with the number of the next page. From these numbers of pages on (256 and 640 GiB), such a page can
    // look like an inner page of an index or of a table, which are then not scrubbed.
    private const long AmbiguousForIndexes = 0x200_0000;
    private const long AmbiguousForTables = 0x500_0000;

    private const int PagesAtOnce = 256;
    private const int FileHeaderBytes = 100;

    private readonly byte[] _buffer = new byte[PagesAtOnce * pageBytes];

    /// <summary>The number of pages of the file.</summary>
    public long Pages => file.Length / pageBytes;

    /// <summary>Scrubs pages and flushes the file. One call at a time.</summary>
    /// <returns>The number of pages that had content in their unused bytes.</returns>
    public long Scrub(PageSet pages, CancellationToken cancellationToken)
    {
        var changed = 0L;
        var total = Pages;
        foreach (var (first, count) in pages.Ranges(total, PagesAtOnce))
        {
            cancellationToken.ThrowIfCancellationRequested();
            lock (gate)
            {
                var read = file.Read(_buffer.AsSpan(0, count * pageBytes), (first - 1) * pageBytes);
                for (var i = 0; i < read / pageBytes; i++)
                {
                    var page = _buffer.AsSpan(i * pageBytes, pageBytes);
                    if (Clean(page, first + i == 1 ? FileHeaderBytes : 0, total))
                    {
                        file.Write(page, (first + i - 1) * pageBytes);
                        changed++;
                    }
                }
            }
        }

        if (changed > 0)
        {
            file.Flush();
        }

        return changed;
    }

    /// <summary>Zeroes the unused bytes of a page of a B-tree. Returns false if there was nothing to do.</summary>
    /// <param name="page">The page.</param>
    /// <param name="start">Position of the page's header.</param>
    /// <param name="pages">The number of pages of the file.</param>
    internal static bool Clean(Span<byte> page, int start, long pages)
    {
        var type = page[start];
        if (type is not (2 or 5 or 10 or 13)
            || (type == 2 && pages >= AmbiguousForIndexes)
            || (type == 5 && pages >= AmbiguousForTables))
        {
            return false;
        }

        var cells = Short(page, start + 3);
        var firstUnused = start + (type is 2 or 5 ? 12 : 8) + (2 * cells);
        var content = Short(page, start + 5) is > 0 and var at ? at : 65_536;
        if (firstUnused > content || content > page.Length)
        {
            return false;
        }

        var changed = Zero(page[firstUnused..content]);
        // Free blocks are a list in ascending order; each begins with the position of the next one and its own size.
        for (var block = Short(page, start + 1); block >= content && block + 4 <= page.Length;)
        {
            var (next, size) = (Short(page, block), Short(page, block + 2));
            if (size < 4 || block + size > page.Length || (next != 0 && next < block + size))
            {
                return changed;
            }

            changed |= Zero(page[(block + 4)..(block + size)]);
            block = next;
        }

        return changed;
    }

    private static bool Zero(Span<byte> bytes)
    {
        if (!bytes.ContainsAnyExcept((byte)0))
        {
            return false;
        }

        bytes.Clear();
        return true;
    }

    private static int Short(ReadOnlySpan<byte> page, int at) => BinaryPrimitives.ReadUInt16BigEndian(page[at..]);
}
