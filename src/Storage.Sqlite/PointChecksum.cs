using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// The checksum of a point as it is stored: SQLite detects damage to its own structures, but not to values.
/// </summary>
internal static class PointChecksum
{
    /// <summary>The columns that <see cref="Of(PreparedStatement)"/> reads, in order, and the stored checksum.</summary>
    public const string Columns = PointCodec.Columns + ", vector, checksum";

    /// <summary>Position of the vector in <see cref="Columns"/>.</summary>
    public const int VectorColumn = PointCodec.Count;

    /// <summary>Position of the stored checksum in <see cref="Columns"/>; it is null if an earlier schema had none.</summary>
    public const int ChecksumColumn = VectorColumn + 1;

    /// <summary>Position of the row number, which queries append to <see cref="Columns"/>.</summary>
    public const int RowColumn = ChecksumColumn + 1;

    // Positions of the times in the columns, which also tell one from the other in the checksum.
    private const int StoredAt = 8;
    private const int ExpiresAt = 9;

    public static long Of(PointRow row)
    {
        var hash = Add(Add(Add(0, row.IdText), row.JobId), row.MediaStoreId);
        hash = row.FaceIndex is { } face ? Add(hash, face) : Absent(hash);
        hash = row.Confidence is { } confidence && !float.IsNaN(confidence) ? Add(hash, confidence) : Absent(hash);
        foreach (var bytes in (ReadOnlySpan<byte[]?>)[row.Bbox, row.Landmarks, row.Attributes])
        {
            hash = bytes is null ? Absent(hash) : Add(hash, bytes);
        }

        hash = Add(hash, row.Vector.Span);
        return (long)Add(Add(hash, StoredAt, row.StoredAt), ExpiresAt, row.ExpiresAt);
    }

    /// <summary>The checksum of the row that the statement is at.</summary>
    public static long Of(PreparedStatement row)
    {
        var hash = Add(Add(Add(0, row.Bytes(0)), row.Bytes(1)), row.Bytes(2));
        hash = row.IsNull(3) ? Absent(hash) : Add(hash, row.Integer(3));
        hash = row.IsNull(4) ? Absent(hash) : Add(hash, row.Real(4));
        foreach (var column in (ReadOnlySpan<int>)[5, 6, 7, VectorColumn])
        {
            hash = row.IsNull(column) ? Absent(hash) : Add(hash, row.Bytes(column));
        }

        hash = Add(hash, StoredAt, row.IsNull(StoredAt) ? null : row.Integer(StoredAt));
        return (long)Add(hash, ExpiresAt, row.IsNull(ExpiresAt) ? null : row.Integer(ExpiresAt));
    }

    /// <summary>Returns false if the row that the statement is at has a checksum and is not what was stored.</summary>
    public static bool Holds(PreparedStatement row) =>
        row.IsNull(ChecksumColumn) || row.Integer(ChecksumColumn) == Of(row);

    private static ulong Add(ulong hash, ReadOnlySpan<byte> bytes) => XxHash3.HashToUInt64(bytes, (long)hash);

    // Without a time the checksum is that of earlier schemas.
    private static ulong Add(ulong hash, int column, long? time) => time is { } value ? Add(Add(hash, (long)column), value) : hash;

    private static ulong Add(ulong hash, long value) =>
        Add(hash, MemoryMarshal.AsBytes(new ReadOnlySpan<long>(in value)));

    // SQLite stores NaN as null and may lose the sign of zero.
    private static ulong Add(ulong hash, double value) => Add(hash, BitConverter.DoubleToInt64Bits(value + 0.0));

    // Distinct from an empty value.
    private static ulong Absent(ulong hash) => ~hash;
}
