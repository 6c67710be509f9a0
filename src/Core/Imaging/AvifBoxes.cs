using System.Buffers.Binary;

namespace Embeddings.Core.Imaging;

/// <summary>
/// Sizes in the header of an AVIF file (ISO 14496-12 and 23008-12), for files that libvips refuses to open.
/// </summary>
/// <param name="Items">Number of items: the image, its tiles, and others.</param>
/// <param name="Width">Width of the largest item, pixels.</param>
/// <param name="Height">Height of the largest item, pixels.</param>
internal readonly record struct AvifBoxes(uint Items, uint Width, uint Height)
{
    private const int HeaderBytes = 8;

    // Version and flags.
    private const int FullBytes = 4;

    public static AvifBoxes Read(ReadOnlySpan<byte> file)
    {
        var meta = Content(file, "meta"u8, FullBytes);
        var items = Content(meta, "iinf"u8, 0);
        var count = 0u;
        if (items.Length >= 8)
        {
            count = items[0] == 0
                ? BinaryPrimitives.ReadUInt16BigEndian(items[FullBytes..])
                : BinaryPrimitives.ReadUInt32BigEndian(items[FullBytes..]);
        }
        var sizes = new AvifBoxes(count, 0, 0);
        var properties = Content(Content(meta, "iprp"u8, 0), "ipco"u8, 0);
        while (TryNext(ref properties, out var type, out var content))
        {
            if (type.SequenceEqual("ispe"u8) && content.Length >= FullBytes + 8)
            {
                var width = BinaryPrimitives.ReadUInt32BigEndian(content[FullBytes..]);
                var height = BinaryPrimitives.ReadUInt32BigEndian(content[(FullBytes + 4)..]);
                if ((ulong)width * height > (ulong)sizes.Width * sizes.Height)
                {
                    sizes = sizes with { Width = width, Height = height };
                }
            }
        }
        return sizes;
    }

    private static ReadOnlySpan<byte> Content(ReadOnlySpan<byte> boxes, ReadOnlySpan<byte> wanted, int skip)
    {
        while (TryNext(ref boxes, out var type, out var content))
        {
            if (type.SequenceEqual(wanted))
            {
                return content[Math.Min(skip, content.Length)..];
            }
        }
        return [];
    }

    private static bool TryNext(
        scoped ref ReadOnlySpan<byte> boxes, out ReadOnlySpan<byte> type, out ReadOnlySpan<byte> content)
    {
        type = content = default;
        if (boxes.Length < HeaderBytes)
        {
            return false;
        }

        // Boxes of 64-bit sizes and of open ends hold pixels only.
        var size = BinaryPrimitives.ReadUInt32BigEndian(boxes);
        if (size < HeaderBytes || size > boxes.Length)
        {
            return false;
        }
        type = boxes.Slice(4, 4);
        content = boxes[HeaderBytes..(int)size];
        boxes = boxes[(int)size..];
        return true;
    }
}
