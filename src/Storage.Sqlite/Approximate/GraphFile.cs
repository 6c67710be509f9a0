using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Embeddings.Storage.Sqlite.Approximate;

/// <summary>
/// The file of a graph, in the directory of the database. It is a cache: if anything is wrong with it, the graph is built from the points again.
/// </summary>
/// <remarks>
/// It has the bytes of USearch, the row numbers of the graph, a footer, and an HMAC of all that with a key from the database, because
/// the library trusts the bytes that it loads. So only this store can have written a file that is loaded. Which rows are still current
/// is found by comparing their vectors with those in memory; the file needs no counter of changes, and survives a crash.
/// </remarks>
internal static class GraphFile
{
    private const string Prefix = "embeddings.graph.";
    private const string Suffix = ".tmp";
    private const int HmacBytes = 32;
    private const int BufferBytes = 1 << 20;

    public static string PathIn(string directory, long collection) => Path.Combine(directory, Prefix + collection);

    /// <summary>Deletes the files of all collections but some, and what an interrupted write has left.</summary>
    public static void DeleteOthers(string directory, IReadOnlySet<long> collections)
    {
        foreach (var path in Directory.EnumerateFiles(directory, Prefix + "*"))
        {
            var name = Path.GetFileName(path)[Prefix.Length..];
            if (!long.TryParse(name, out var collection) || !collections.Contains(collection))
            {
                File.Delete(path);
            }
        }
    }

    /// <summary>Writes the file; a crash leaves the previous file or none.</summary>
    /// <param name="path">The file.</param>
    /// <param name="graph">The graph, which must not change during the call.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="footer">What is known about it.</param>
    /// <param name="key">The key of the HMAC.</param>
    public static void Write(string path, Graph graph, ReadOnlySpan<long> rows, GraphFooter footer, byte[] key)
    {
        var temporary = path + Suffix;
        try
        {
            graph.Save(temporary);
            using (var file = new FileStream(temporary, FileMode.Open, FileAccess.ReadWrite, FileShare.None, 0))
            using (var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key))
            {
                footer = footer with { GraphBytes = file.Length, Rows = rows.Length };
                Hash(file, file.Length, hmac);
                Append(file, MemoryMarshal.AsBytes(rows), hmac);
                Append(file, footer.ToBytes(), hmac);
                file.Write(hmac.GetHashAndReset());
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>
    /// Checks the file. Returns its rows and footer; null, with the reason, if it does not exist, was not written by this store, or has
    /// changed since.
    /// </summary>
    public static (long[] Rows, GraphFooter Footer)? Read(string path, byte[] key, out string reason)
    {
        reason = "there is none";
        if (!File.Exists(path))
        {
            return null;
        }

        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 0);
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        reason = "it is damaged, or another store has written it";
        var end = file.Length - HmacBytes;
        if (end < GraphFooter.Bytes)
        {
            return null;
        }

        Hash(file, end, hmac);
        Span<byte> expected = stackalloc byte[HmacBytes];
        file.ReadExactly(expected);
        if (!CryptographicOperations.FixedTimeEquals(expected, hmac.GetHashAndReset()))
        {
            return null;
        }

        Span<byte> bytes = stackalloc byte[GraphFooter.Bytes];
        file.Position = end - GraphFooter.Bytes;
        file.ReadExactly(bytes);
        if (GraphFooter.TryParse(bytes) is not { } footer
            || footer.GraphBytes + (footer.Rows * sizeof(long)) + GraphFooter.Bytes != end)
        {
            reason = "another version has written it";
            return null;
        }

        var rows = new long[footer.Rows];
        file.Position = footer.GraphBytes;
        file.ReadExactly(MemoryMarshal.AsBytes(rows.AsSpan()));
        return (rows, footer);
    }

    private static void Hash(FileStream file, long length, IncrementalHash hmac)
    {
        var buffer = new byte[BufferBytes];
        file.Position = 0;
        for (var left = length; left > 0;)
        {
            var part = buffer.AsSpan(0, (int)Math.Min(left, buffer.Length));
            file.ReadExactly(part);
            hmac.AppendData(part);
            left -= part.Length;
        }
    }

    private static void Append(FileStream file, ReadOnlySpan<byte> bytes, IncrementalHash hmac)
    {
        file.Write(bytes);
        hmac.AppendData(bytes);
    }
}

/// <summary>The properties of a graph that its file records.</summary>
/// <param name="Collection">The key of the collection.</param>
/// <param name="Dimension">The dimension of the vectors.</param>
/// <param name="Settings">The settings of the graph.</param>
internal sealed record GraphFooter(long Collection, int Dimension, ApproximateIndexSettings Settings)
{
    /// <summary>The size of a footer.</summary>
    public const int Bytes = 128;

    private const int VersionAt = 96;

    private static readonly byte[] Magic = "EMBGRPH1"u8.ToArray();

    /// <summary>The bytes of USearch.</summary>
    public long GraphBytes { get; init; }

    /// <summary>The number of rows.</summary>
    public long Rows { get; init; }

    /// <summary>The measured recall, or null.</summary>
    public GraphRecall? Recall { get; init; }

    public byte[] ToBytes()
    {
        var bytes = new byte[Bytes];
        Magic.CopyTo(bytes, 0);
        var span = bytes.AsSpan();
        BinaryPrimitives.WriteInt64LittleEndian(span[8..], Collection);
        BinaryPrimitives.WriteInt32LittleEndian(span[16..], Dimension);
        BinaryPrimitives.WriteInt32LittleEndian(span[20..], Settings.Links);
        BinaryPrimitives.WriteInt32LittleEndian(span[24..], Settings.BuildCandidates);
        BinaryPrimitives.WriteInt64LittleEndian(span[32..], GraphBytes);
        BinaryPrimitives.WriteInt64LittleEndian(span[40..], Rows);
        if (Recall is { } recall)
        {
            BinaryPrimitives.WriteInt64LittleEndian(span[48..], recall.Points);
            BinaryPrimitives.WriteInt32LittleEndian(span[56..], recall.Sample);
            BinaryPrimitives.WriteInt32LittleEndian(span[60..], recall.Candidates);
            BinaryPrimitives.WriteSingleLittleEndian(span[64..], recall.At10);
        }

        WriterVersion().CopyTo(bytes, VersionAt);
        return bytes;
    }

    /// <summary>Returns null if another version has written it.</summary>
    public static GraphFooter? TryParse(ReadOnlySpan<byte> bytes)
    {
        if (!bytes.StartsWith(Magic) || !bytes[VersionAt..].SequenceEqual(WriterVersion()))
        {
            return null;
        }

        var settings = new ApproximateIndexSettings(
            BinaryPrimitives.ReadInt32LittleEndian(bytes[20..]), BinaryPrimitives.ReadInt32LittleEndian(bytes[24..]));
        var sample = BinaryPrimitives.ReadInt32LittleEndian(bytes[56..]);
        return new GraphFooter(
            BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]), BinaryPrimitives.ReadInt32LittleEndian(bytes[16..]), settings)
        {
            GraphBytes = BinaryPrimitives.ReadInt64LittleEndian(bytes[32..]),
            Rows = BinaryPrimitives.ReadInt64LittleEndian(bytes[40..]),
            Recall = sample == 0
                ? null
                : new GraphRecall(
                    BinaryPrimitives.ReadSingleLittleEndian(bytes[64..]),
                    sample,
                    BinaryPrimitives.ReadInt32LittleEndian(bytes[60..]),
                    BinaryPrimitives.ReadInt64LittleEndian(bytes[48..])),
        };
    }

    // The library promises to read files of the same major version only; graphs are cheap enough to be stricter.
    private static byte[] WriterVersion()
    {
        var version = new byte[Bytes - VersionAt];
        Encoding.ASCII.GetBytes(UsearchNative.Version).AsSpan().CopyTo(version);
        return version;
    }
}

/// <summary>The measured recall of a graph.</summary>
/// <param name="At10">The share of the 10 nearest points that a search finds.</param>
/// <param name="Sample">The number of queries.</param>
/// <param name="Candidates">The number of candidates of a search for 10 points.</param>
/// <param name="Points">The number of points that the graph had.</param>
internal sealed record GraphRecall(float At10, int Sample, int Candidates, long Points);
