using System.Buffers.Binary;

namespace Embeddings.Core.Imaging;

/// <summary>Recognizes a file's format by its first bytes; a file that is not recognized never reaches a decoder.</summary>
internal static class ImageSniffer
{
    // No real image has a box of more brands than this.
    private const int MaxTypeBox = 256;

    public static FileFormat Sniff(ReadOnlySpan<byte> data)
    {
        if (data.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]))
        {
            return FileFormat.Jpeg;
        }
        if (data.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]))
        {
            return FileFormat.Png;
        }
        if (data.StartsWith("GIF87a"u8) || data.StartsWith("GIF89a"u8))
        {
            return FileFormat.Gif;
        }
        if (data.Length >= 12 && data.StartsWith("RIFF"u8) && data[8..].StartsWith("WEBP"u8))
        {
            return FileFormat.WebP;
        }

        // 42 is TIFF, 43 BigTIFF.
        if (data.StartsWith("II*\0"u8) || data.StartsWith("MM\0*"u8) || data.StartsWith("II+\0"u8) || data.StartsWith("MM\0+"u8))
        {
            return FileFormat.Tiff;
        }
        return IsAvif(data) ? FileFormat.Avif : FileFormat.Unknown;
    }

    // ISO 14496-12: size, "ftyp", the major brand, a version, the compatible brands.
    private static bool IsAvif(ReadOnlySpan<byte> data)
    {
        if (data.Length < 16 || !data[4..].StartsWith("ftyp"u8))
        {
            return false;
        }
        var size = (int)Math.Min(BinaryPrimitives.ReadUInt32BigEndian(data), (uint)Math.Min(data.Length, MaxTypeBox));
        for (var at = 8; at + 4 <= size; at += 4)
        {
            var brand = data.Slice(at, 4);
            if (at != 12 && (brand.SequenceEqual("avif"u8) || brand.SequenceEqual("avis"u8)))
            {
                return true;
            }
        }
        return false;
    }
}

/// <summary>Formats of encoded files that can be read.</summary>
internal enum FileFormat
{
    Unknown = 0,
    Jpeg,
    Png,
    WebP,
    Gif,
    Tiff,
    Avif,
}
