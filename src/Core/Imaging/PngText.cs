using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Embeddings.Core.Imaging;

/// <summary>
/// EXIF data in the text of a PNG file: hexadecimal under the keyword <c>Raw profile type exif</c> or <c>APP1</c>, as
/// ImageMagick writes it.
/// </summary>
internal static class PngText
{
    private const int SignatureBytes = 8;

    // Length and type before the data, and a checksum after it.
    private const int ChunkBytes = 12;

    // EXIF data of a JPEG file has at most 64 KiB, and the orientation is near its start. The rest of longer text is not
    // inflated.
    private const int MaxExifBytes = 64 * 1024;
    private const int MaxTextBytes = 3 * MaxExifBytes;

    /// <summary>EXIF orientation, 1 to 8, of the first text that contains EXIF data; 1 if none does.</summary>
    public static int Orientation(ReadOnlySpan<byte> png)
    {
        var rest = png[Math.Min(SignatureBytes, png.Length)..];
        while (rest.Length >= ChunkBytes)
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(rest);
            if (length > rest.Length - ChunkBytes)
            {
                break;
            }
            var type = rest.Slice(4, 4);
            var isCompressed = type.SequenceEqual("zTXt"u8);
            if ((isCompressed || type.SequenceEqual("tEXt"u8))
                && TryOrientation(rest.Slice(8, (int)length), isCompressed, out var orientation))
            {
                return orientation;
            }
            rest = rest[(ChunkBytes + (int)length)..];
        }
        return 1;
    }

    private static bool TryOrientation(ReadOnlySpan<byte> chunk, bool isCompressed, out int orientation)
    {
        orientation = 1;
        var end = chunk.IndexOf((byte)0);
        if (end < 0
            || !(chunk[..end].SequenceEqual("Raw profile type exif"u8)
                || chunk[..end].SequenceEqual("Raw profile type APP1"u8)))
        {
            return false;
        }

        // Compressed text follows a byte that names the method.
        var text = isCompressed ? Inflate(chunk[Math.Min(end + 2, chunk.Length)..]) : chunk[(end + 1)..];
        var exif = FromHex(text);
        if (exif.StartsWith("Exif\0\0"u8))
        {
            exif = exif[6..];
        }
        if (!TiffDirectory.TryFind(exif, 274, out var value, out _))
        {
            return false;
        }
        orientation = value is >= 1 and <= 8 ? value : 1;
        return true;
    }

    private static ReadOnlySpan<byte> Inflate(ReadOnlySpan<byte> compressed)
    {
        var text = new byte[MaxTextBytes];
        var length = 0;
        try
        {
            // Deflated text is at most a little longer than the text.
            var source = new MemoryStream(compressed[..Math.Min(compressed.Length, 2 * MaxTextBytes)].ToArray());
            using var inflated = new ZLibStream(source, CompressionMode.Decompress);
            for (int read; length < text.Length && (read = inflated.Read(text, length, text.Length - length)) > 0;)
            {
                length += read;
            }
        }
        catch (InvalidDataException)
        {
            // What has been inflated before the damage is used, as for any other text of unknown origin.
        }
        return text.AsSpan(0, length);
    }

    // A line break, the name of the profile, its length, and lines of digits.
    private static ReadOnlySpan<byte> FromHex(ReadOnlySpan<byte> text)
    {
        for (var line = 0; line < 3; line++)
        {
            text = text[(text.IndexOf((byte)'\n') + 1)..];
        }
        var digits = new StringBuilder();
        foreach (var b in text)
        {
            if (char.IsAsciiHexDigit((char)b) && digits.Length < 2 * MaxExifBytes)
            {
                digits.Append((char)b);
            }
            else if (b is not ((byte)'\n' or (byte)'\r' or (byte)' '))
            {
                break;
            }
        }
        return Convert.FromHexString(digits.ToString(0, digits.Length & ~1));
    }
}
