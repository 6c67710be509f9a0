using System.Buffers.Binary;
using System.Numerics;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// The numbers of the pages that were written since they were last scrubbed, read from the headers of the write-ahead log
/// (SQLite's file format, section 4). At first, these are all pages of the file. Thread-safe.
/// </summary>
/// <param name="log">The write-ahead log.</param>
/// <param name="pageBytes">The size of a page.</param>
internal sealed class PageLog(DurableFile log, int pageBytes)
{
    private const int HeaderBytes = 32;
    private const int FrameHeaderBytes = 24;

    private readonly Lock _lock = new();
    private PageSet _pages = PageSet.All;
    private ulong _salt;
    private long _position;

    /// <summary>The size of the log, bytes.</summary>
    public long LogBytes => log.Length;

    /// <summary>
    /// Reads the frames of all commits so far. Must happen before the log restarts, since the next frames overwrite those that
    /// were not read.
    /// </summary>
    public void Read()
    {
        lock (_lock)
        {
            Span<byte> header = stackalloc byte[HeaderBytes];
            if (log.Read(header, 0) < HeaderBytes)
            {
                return;
            }

            var salt = BinaryPrimitives.ReadUInt64BigEndian(header[16..]);
            if (salt != _salt)
            {
                (_salt, _position) = (salt, HeaderBytes);
            }

            // What follows the last commit was rolled back or is being written, and may be overwritten.
            var position = _position;
            while (log.Read(header[..FrameHeaderBytes], position) == FrameHeaderBytes
                && BinaryPrimitives.ReadUInt64BigEndian(header[8..]) == salt)
            {
                _pages.Add(BinaryPrimitives.ReadUInt32BigEndian(header));
                position += FrameHeaderBytes + pageBytes;
                if (BinaryPrimitives.ReadUInt32BigEndian(header[4..]) != 0)
                {
                    _position = position;
                }
            }
        }
    }

    /// <summary>Returns the pages, which then count as scrubbed.</summary>
    public PageSet Take()
    {
        lock (_lock)
        {
            var pages = _pages;
            _pages = new PageSet();
            return pages;
        }
    }

    /// <summary>Returns all pages to the set, after a failure.</summary>
    public void AddAll()
    {
        lock (_lock)
        {
            _pages = PageSet.All;
        }
    }
}

/// <summary>A set of page numbers, which begin at 1.</summary>
internal sealed class PageSet
{
    private ulong[] _words = new ulong[16];

    /// <summary>A set of all pages.</summary>
    public static PageSet All => new() { IsAll = true };

    public bool IsAll { get; private init; }

    /// <summary>The number of pages, of a file with this number of pages.</summary>
    public long Count(long pages) => IsAll ? pages : _words.Sum(static word => (long)BitOperations.PopCount(word));

    public void Add(uint page)
    {
        if (IsAll)
        {
            return;
        }

        var word = (int)(page / 64);
        if (word >= _words.Length)
        {
            Array.Resize(ref _words, Math.Max(word + 1, _words.Length * 2));
        }

        _words[word] |= 1UL << (int)(page % 64);
    }

    /// <summary>Returns ranges of consecutive pages, each of a limited number.</summary>
    public IEnumerable<(long First, int Count)> Ranges(long pages, int most)
    {
        var first = 1L;
        while (first <= pages)
        {
            if (!Contains(first))
            {
                first++;
                continue;
            }

            var end = first + 1;
            while (end <= pages && end - first < most && Contains(end))
            {
                end++;
            }

            yield return (first, (int)(end - first));
            first = end;
        }
    }

    private bool Contains(long page) =>
        IsAll || (page / 64 < _words.Length && (_words[page / 64] & (1UL << (int)(page % 64))) != 0);
}
