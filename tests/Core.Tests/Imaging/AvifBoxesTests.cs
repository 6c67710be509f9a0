using System.Buffers.Binary;
using System.Text;
using Embeddings.Primitives;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Imaging;

/// <summary>An AVIF file of many tiles is not damaged: the fault names the limit.</summary>
public sealed class AvifBoxesTests
{
    [Theory]
    [InlineData(300, 300, "at most 256 items, which are its tiles and one for all; got 257")]
    [InlineData(8000, 8000, "at most 50,000,000 pixels; got 64,000,000 (8000 x 8000)")]
    [InlineData(60_000, 10, "at most 16,384 pixels; got 60000 x 10")]
    [InlineData(-1, -1, "at most 16,384 pixels")]
    public void A_file_of_too_many_items_or_pixels_names_the_limit(int width, int height, string limit)
    {
        var fault = Assert.Throws<Fault>(() => TestImages.Decode(Tiled(257, width, height), 16, 16));
        Assert.Equal((Reasons.ImageTooLarge, "image.encoded"), (fault.Reason, fault.Field));
        Assert.Contains(limit, fault.Message);
    }

    [Fact]
    public void Other_files_are_damaged()
    {
        var tiled = Tiled(257, 300, 300);
        foreach (var file in new[] { Tiled(256, 300, 300), tiled[..40], tiled[..(tiled.Length - 9)] })
        {
            Assert.Equal(Reasons.ImageMalformed, Assert.Throws<Fault>(() => TestImages.Decode(file, 16, 16)).Reason);
        }
    }

    // The header of a file whose items have no data: ISO 14496-12, 8.11.
    private static byte[] Tiled(int items, int width, int height)
    {
        var numbers = Enumerable.Range(1, items).ToArray();
        return
        [
            .. Box("ftyp", [.. "avif\0\0\0\0avifmif1miaf"u8]),
            .. Full(
                "meta",
                [
                    .. Full("hdlr", [0, 0, 0, 0, .. "pict"u8, .. new byte[13]]),
                    .. Full("pitm", Number(1, 2)),
                    .. Full("iloc", [0x44, 0, .. Number(items, 2), .. numbers.SelectMany(id => (byte[])[.. Number(id, 2), 0, 0, 0, 1, .. new byte[8]])]),
                    .. Full("iinf", [.. Number(items, 2), .. numbers.SelectMany(id => Full("infe", [.. Number(id, 2), 0, 0, .. "av01"u8, 0], version: 2))]),
                    .. Box("iprp", Box("ipco", [.. Full("ispe", [.. Number(16, 4), .. Number(16, 4)]), .. Full("ispe", [.. Number(width, 4), .. Number(height, 4)])])),
                ]),
        ];
    }

    private static byte[] Full(string type, byte[] content, byte version = 0) => Box(type, [version, 0, 0, 0, .. content]);

    private static byte[] Box(string type, byte[] content) => [.. Number(8 + content.Length, 4), .. Encoding.ASCII.GetBytes(type), .. content];

    private static byte[] Number(int value, int bytes)
    {
        var number = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, value);
        return number[(4 - bytes)..];
    }
}
