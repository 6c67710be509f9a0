using System.Buffers.Binary;

namespace Embeddings.Core.Imaging;

/// <summary>The first directory of a TIFF file, which is also the structure of EXIF data.</summary>
internal static class TiffDirectory
{
    private const ushort Short = 3;
    private const int EntryBytes = 12;

    /// <summary>Finds a tag of 16-bit integers.</summary>
    /// <param name="data">A TIFF file that is not BigTIFF, or EXIF data.</param>
    /// <param name="tag">The tag.</param>
    /// <param name="value">The first value.</param>
    /// <param name="at">The position of its two bytes.</param>
    /// <returns>False if the data has no such tag.</returns>
    public static bool TryFind(ReadOnlySpan<byte> data, ushort tag, out ushort value, out int at)
    {
        value = 0;
        at = 0;
        var isLittle = data.StartsWith("II*\0"u8);
        if (data.Length < 8 || !(isLittle || data.StartsWith("MM\0*"u8)))
        {
            return false;
        }
        var offset = ReadLong(data, 4);
        if (offset > data.Length - 2)
        {
            return false;
        }
        var first = (int)offset + 2;
        var count = Math.Min(ReadShort(data, (int)offset), (data.Length - first) / EntryBytes);
        for (var i = 0; i < count; i++)
        {
            var entry = first + (i * EntryBytes);
            if (ReadShort(data, entry) == tag)
            {
                // Up to two values are in the entry itself.
                var position = ReadLong(data, entry + 4) <= 2 ? (uint)entry + 8 : ReadLong(data, entry + 8);
                if (ReadShort(data, entry + 2) != Short || position > data.Length - 2)
                {
                    return false;
                }
                at = (int)position;
                value = ReadShort(data, at);
                return true;
            }
        }
        return false;

        ushort ReadShort(ReadOnlySpan<byte> bytes, int position) => isLittle
            ? BinaryPrimitives.ReadUInt16LittleEndian(bytes[position..])
            : BinaryPrimitives.ReadUInt16BigEndian(bytes[position..]);

        uint ReadLong(ReadOnlySpan<byte> bytes, int position) => isLittle
            ? BinaryPrimitives.ReadUInt32LittleEndian(bytes[position..])
            : BinaryPrimitives.ReadUInt32BigEndian(bytes[position..]);
    }
}
