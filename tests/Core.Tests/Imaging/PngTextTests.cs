using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using System.Text;
using Embeddings.Core.Imaging;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Imaging;

/// <summary>The orientation in a PNG file's EXIF data, in its own chunk or in text as ImageMagick writes it.</summary>
public sealed class PngTextTests
{
    private const int Width = 31;
    private const int Height = 17;

    // Without the EXIF chunk that libvips adds.
    private static readonly byte[] Png = TestImages.Encode(TestImages.Busy(Width, Height), Width, Height, 3, ".png[keep=none]");

    public static TheoryData<string, bool> Chunks() => new()
    {
        { "zTXt exif", true }, { "tEXt exif", true }, { "zTXt APP1", true }, { "tEXt APP1", true }, { "eXIf", false },
    };

    [Theory]
    [MemberData(nameof(Chunks))]
    public void It_turns_the_image(string kind, bool isText)
    {
        foreach (var isLittle in new[] { true, false })
        {
            foreach (var atEnd in isText ? new[] { false, true } : [false])
            {
                for (ushort orientation = 1; orientation <= 8; orientation++)
                {
                    var exif = Exif(orientation, isLittle);
                    var file = Insert(isText ? Text(kind[..4], kind[5..], Hex(kind[5..], [.. "Exif\0\0"u8, .. exif])) : Chunk("eXIf", exif), atEnd);
                    var (width, height) = orientation >= 5 ? (Height, Width) : (Width, Height);
                    Assert.Equal(Turned(orientation), TestImages.Decode(file, width, height));
                }
            }
        }
    }

    [Fact]
    public void Its_own_chunk_comes_first()
    {
        byte[] both = [.. Text("tEXt", "exif", Hex("exif", Exif(3, true))), .. Chunk("eXIf", Exif(6, true))];
        Assert.Equal(Turned(6), TestImages.Decode(Insert(both, atEnd: false), Height, Width));
    }

    public static TheoryData<string> Damaged() => ["no digits", "no lines", "odd digits", "cut", "no tag", "9", "bomb", "no stream", "XMP", "long"];

    [Theory]
    [MemberData(nameof(Damaged))]
    public void Text_that_says_nothing_is_ignored(string kind)
    {
        var exif = Exif(3, true);
        var chunk = kind switch
        {
            "no digits" => Text("tEXt", "exif", "\nexif\n      26\nwhat"),
            "no lines" => Text("zTXt", "exif", Convert.ToHexString(exif[..8])),
            "odd digits" => Text("tEXt", "exif", "\nexif\n 26\n49492a"),
            "cut" => Text("zTXt", "exif", Hex("exif", exif[..14])),
            "no tag" => Text("zTXt", "exif", Hex("exif", [.. exif[..10], 0x13, .. exif[11..]])),
            "9" => Text("zTXt", "exif", Hex("exif", Exif(9, true))),
            "bomb" => Text("zTXt", "exif", new string('\n', 50_000_000)),
            "no stream" => Chunk("zTXt", [.. "Raw profile type exif\0\0"u8, 1, 2, 3]),
            "XMP" => Text("zTXt", "APP1", Hex("APP1", "http://ns.adobe.com/xap/1.0/\0<x/>"u8.ToArray())),
            _ => Text("zTXt", "exif", Hex("exif", [.. "II*\0"u8, 0xF0, 0xFF, 0xFF, 0x7F, .. new byte[1_000_000]])),
        };
        Assert.Equal(TestImages.Busy(Width, Height), TestImages.Decode(Insert(chunk, atEnd: false), Width, Height));
    }

    [Fact]
    public void Long_text_costs_no_more_than_its_start()
    {
        var file = Insert(Text("zTXt", "exif", Hex("exif", [.. Exif(3, true), .. new byte[30_000_000]])), atEnd: false);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(3, PngText.Orientation(file));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 3_000_000);
    }

    // A directory with one entry, tag 274.
    private static byte[] Exif(ushort orientation, bool isLittle) => isLittle
        ? [.. "II*\0"u8, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, (byte)orientation, 0, 0, 0, 0, 0, 0, 0]
        : [.. "MM\0*"u8, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, (byte)orientation, 0, 0, 0, 0, 0, 0];

    private static string Hex(string name, byte[] exif) =>
        $"\n{name}\n{exif.Length,8}\n{string.Join('\n', Convert.ToHexStringLower(exif).Chunk(72).Select(line => new string(line)))}\n";

    private static byte[] Text(string type, string name, string text)
    {
        var bytes = Encoding.Latin1.GetBytes(text);
        if (type == "zTXt")
        {
            using var compressed = new MemoryStream();
            using (var stream = new ZLibStream(compressed, CompressionLevel.Fastest))
            {
                stream.Write(bytes);
            }
            bytes = [0, .. compressed.ToArray()];
        }
        return Chunk(type, [.. Encoding.Latin1.GetBytes($"Raw profile type {name}\0"), .. bytes]);
    }

    private static byte[] Chunk(string type, byte[] data)
    {
        var chunk = new byte[12 + data.Length];
        BinaryPrimitives.WriteInt32BigEndian(chunk, data.Length);
        Encoding.ASCII.GetBytes(type).CopyTo(chunk, 4);
        data.CopyTo(chunk, 8);
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(8 + data.Length), Crc32.HashToUInt32(chunk.AsSpan(4, 4 + data.Length)));
        return chunk;
    }

    // After the header, or before the last chunk.
    private static byte[] Insert(byte[] chunks, bool atEnd)
    {
        var at = atEnd ? Png.Length - 12 : 33;
        return [.. Png[..at], .. chunks, .. Png[at..]];
    }

    // EXIF: the side of the visual top and left at the stored row 0 and column 0.
    private static byte[] Turned(int orientation)
    {
        var pixels = TestImages.Busy(Width, Height);
        var (width, height) = orientation >= 5 ? (Height, Width) : (Width, Height);
        var turned = new byte[pixels.Length];
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var (column, row) = orientation switch
                {
                    2 => (Width - 1 - x, y),
                    3 => (Width - 1 - x, Height - 1 - y),
                    4 => (x, Height - 1 - y),
                    5 => (y, x),
                    6 => (y, Height - 1 - x),
                    7 => (Width - 1 - y, Height - 1 - x),
                    8 => (Width - 1 - y, x),
                    _ => (x, y),
                };
                pixels.AsSpan(((row * Width) + column) * 3, 3).CopyTo(turned.AsSpan(((y * width) + x) * 3));
            }
        }
        return turned;
    }
}
