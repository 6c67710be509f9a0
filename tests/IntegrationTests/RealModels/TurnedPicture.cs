using System.Buffers.Binary;
using NetVips;

namespace Embeddings.IntegrationTests.RealModels;

/// <summary>An image as a rotated camera stores it (Exif 2.32, tag 0x0112, values 1 to 8).</summary>
internal static class TurnedPicture
{
    /// <summary>Returns a JPEG whose pixels, with this orientation, represent the given upright JPEG, without the tag.</summary>
    public static byte[] Untagged(byte[] upright, int orientation)
    {
        using var picture = Image.NewFromBuffer(upright);
        var (width, height) = (picture.Width, picture.Height);
        var pixels = picture.WriteToMemory<byte>();
        var (columns, rows) = orientation <= 4 ? (width, height) : (height, width);
        var stored = new byte[pixels.Length];
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
            {
                var (x, y) = Upright(orientation, column, row, width, height);
                pixels.AsSpan(3 * ((y * width) + x), 3).CopyTo(stored.AsSpan(3 * ((row * columns) + column)));
            }
        }
        using var turned = Image.NewFromMemory(stored, columns, rows, 3, Enums.BandFormat.Uchar);
        return turned.JpegsaveBuffer(q: 95);
    }

    /// <summary>Returns the file with an Exif block after its first marker.</summary>
    public static byte[] Tag(byte[] jpeg, int orientation)
    {
        byte[] exif =
        [
            0xFF, 0xE1, 0, 34, (byte)'E', (byte)'x', (byte)'i', (byte)'f', 0, 0,
            (byte)'M', (byte)'M', 0, 42, 0, 0, 0, 8, 0, 1,
            0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        BinaryPrimitives.WriteUInt16BigEndian(exif.AsSpan(28), (ushort)orientation);
        return [.. jpeg.AsSpan(0, 2), .. exif, .. jpeg.AsSpan(2)];
    }

    // The position in the upright image of a column and row of the stored one. The tag tells which edges of the scene row 0 and column 0 are.
    private static (int X, int Y) Upright(int orientation, int column, int row, int width, int height) => orientation switch
    {
        1 => (column, row),
        2 => (width - 1 - column, row),
        3 => (width - 1 - column, height - 1 - row),
        4 => (column, height - 1 - row),
        5 => (row, column),
        6 => (width - 1 - row, column),
        7 => (width - 1 - row, height - 1 - column),
        _ => (row, height - 1 - column),
    };
}
