using System.IO.Hashing;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// A copy of a collection's index on the disk, so that a start need not read all vectors: a header, and blocks of
/// <see cref="CodeSegments.BlockRows"/> rows with a checksum each. The database is the truth; <see cref="IndexFiles"/> has the rules by
/// which a block is used.
/// </summary>
internal sealed class IndexFile : IDisposable
{
    private const int Version = 1;
    private const int HeaderBytes = 4096;
    private const int BlockHeaderBytes = 64;

    private static ReadOnlySpan<byte> Magic => "EMBINDEX"u8;

    private readonly SafeFileHandle _file;
    private readonly long _key;
    private readonly int _dimension;
    private readonly int _blockBytes;

    private IndexFile(SafeFileHandle file, string path, CollectionIndex index)
    {
        _file = file;
        Path = path;
        _key = index.Key;
        _dimension = index.Dimension;
        _blockBytes = index.Vectors.BlockBytes;
    }

    public string Path { get; }

    /// <summary>The number of bytes of a block with its header.</summary>
    public int BlockBytes => BlockHeaderBytes + _blockBytes;

    /// <summary>The number of whole blocks.</summary>
    public long Blocks => Math.Max(0, RandomAccess.GetLength(_file) - HeaderBytes) / BlockBytes;

    public static string PathIn(string directory, long collection) =>
        System.IO.Path.Combine(directory, FormattableString.Invariant($"embeddings.index.{collection}"));

    /// <summary>The files of all collections in a directory.</summary>
    public static IEnumerable<string> In(string directory) => Directory.EnumerateFiles(directory, "embeddings.index.*");

    /// <summary>Opens the file and creates it if necessary.</summary>
    public static IndexFile Open(string directory, CollectionIndex index)
    {
        var path = PathIn(directory, index.Key);
        return new IndexFile(
            File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete), path, index);
    }

    /// <summary>Returns the generations of the database with which the file agrees; null if the header is not of this index.</summary>
    public (long Previous, long Current)? ReadHeader()
    {
        Span<byte> bytes = stackalloc byte[Marshal.SizeOf<Header>()];
        if (RandomAccess.Read(_file, bytes, 0) < bytes.Length)
        {
            return null;
        }

        var header = MemoryMarshal.Read<Header>(bytes);
        return bytes.SequenceEqual(Bytes(NewHeader(header.Previous, header.Current))) ? (header.Previous, header.Current) : null;
    }

    /// <summary>Writes the header, and flushes the file.</summary>
    public void WriteHeader(long previous, long current)
    {
        RandomAccess.Write(_file, Bytes(NewHeader(previous, current)), 0);
        Flush();
    }

    /// <summary>Removes all blocks and the header.</summary>
    public void Clear() => RandomAccess.SetLength(_file, 0);

    /// <summary>Removes all blocks from a number on.</summary>
    public void Truncate(long blocks)
    {
        var length = HeaderBytes + (blocks * BlockBytes);
        if (RandomAccess.GetLength(_file) > length)
        {
            RandomAccess.SetLength(_file, length);
        }
    }

    /// <summary>Returns the place of the content of a block in a buffer of consecutive blocks.</summary>
    public Span<byte> Content(Span<byte> buffer, int at) => buffer.Slice((at * BlockBytes) + BlockHeaderBytes, _blockBytes);

    /// <summary>Writes consecutive blocks, whose content is in the buffer.</summary>
    public void Write(long first, Span<byte> buffer)
    {
        for (var at = 0; at < buffer.Length / BlockBytes; at++)
        {
            buffer.Slice(at * BlockBytes, BlockHeaderBytes).Clear();
            MemoryMarshal.Write(buffer[(at * BlockBytes)..], Checksum(first + at, Content(buffer, at)));
        }

        RandomAccess.Write(_file, buffer, HeaderBytes + (first * BlockBytes));
    }

    /// <summary>Reads consecutive blocks. Returns the number of whole blocks that were read.</summary>
    public int Read(long first, Span<byte> buffer)
    {
        var total = 0;
        while (total < buffer.Length
            && RandomAccess.Read(_file, buffer[total..], HeaderBytes + (first * BlockBytes) + total) is > 0 and var read)
        {
            total += read;
        }

        return total / BlockBytes;
    }

    /// <summary>Returns whether a block that was read is as it was written.</summary>
    public bool IsIntact(long block, Span<byte> buffer, int at) =>
        MemoryMarshal.Read<ulong>(buffer[(at * BlockBytes)..]) == Checksum(block, Content(buffer, at));

    /// <summary>Returns when everything written is on disk.</summary>
    public void Flush() => RandomAccess.FlushToDisk(_file);

    public void Dispose() => _file.Dispose();

    private ulong Checksum(long block, ReadOnlySpan<byte> content) =>
        XxHash3.HashToUInt64(content, unchecked((_key * 0x1_0000_0001) + block + 1));

    private Header NewHeader(long previous, long current)
    {
        var header = new Header
        {
            Magic = MemoryMarshal.Read<long>(Magic),
            Version = Version,
            Dimension = _dimension,
            Collection = _key,
            BlockBytes = _blockBytes,
            Previous = previous,
            Current = current,
        };
        header.Checksum = XxHash3.HashToUInt64(Bytes(header));
        return header;
    }

    private static byte[] Bytes(Header header) => MemoryMarshal.AsBytes(new ReadOnlySpan<Header>(in header)).ToArray();

    [StructLayout(LayoutKind.Sequential, Pack = 8)]
    private struct Header
    {
        public long Magic;
        public int Version;
        public int Dimension;
        public long Collection;
        public long BlockBytes;
        public long Previous;
        public long Current;
        public ulong Checksum;
    }
}
