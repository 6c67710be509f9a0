using System.Buffers.Binary;
using Embeddings.Core.Imaging;
using Embeddings.Primitives;
using Embeddings.Testing;
using NetVips;

namespace Embeddings.Core.Tests.Imaging;

public sealed class EncodedImageTests
{
    private const int Width = 61;
    private const int Height = 43;

    [Theory]
    [InlineData(".png", 0)]
    [InlineData(".png[interlace]", 0)]
    [InlineData(".tif", 0)]
    [InlineData(".tif[compression=lzw,tile]", 0)]
    [InlineData(".webp[lossless]", 0)]
    [InlineData(".gif", 4)]
    [InlineData(".jpg[Q=95]", 3)]
    [InlineData(".jpg[Q=95,interlace]", 3)]
    [InlineData(".webp[Q=95]", 4)]
    [InlineData(".avif[Q=90]", 4)]
    public void Every_format_gives_its_pixels(string suffix, double difference)
    {
        foreach (var channels in new[] { 1, 3 })
        {
            var pixels = TestImages.Smooth(Width, Height, channels);
            var decoded = TestImages.Decode(TestImages.Encode(pixels, Width, Height, channels, suffix), Width, Height);
            var rgb = channels == 3 ? pixels : [.. pixels.SelectMany(p => new[] { p, p, p })];
            Assert.InRange(TestImages.MeanDifference(rgb, decoded), 0, difference);
        }
    }

    [Theory]
    [InlineData(4, ".png")]
    [InlineData(4, ".webp[lossless]")]
    [InlineData(4, ".tif")]
    [InlineData(2, ".png")]
    public void Transparency_is_laid_over_black(int channels, string suffix)
    {
        var pixels = TestImages.Smooth(Width, Height, channels);
        var decoded = TestImages.Decode(TestImages.Encode(pixels, Width, Height, channels, suffix), Width, Height);
        var expected = new byte[Width * Height * 3];
        for (var i = 0; i < expected.Length; i++)
        {
            var alpha = pixels[i / 3 * channels + channels - 1];
            expected[i] = (byte)(pixels[i / 3 * channels + (channels == 4 ? i % 3 : 0)] * alpha / 255);
        }
        Assert.InRange(TestImages.MeanDifference(expected, decoded), 0, 1);
    }

    [Theory]
    [InlineData(3, ".png")]
    [InlineData(1, ".png")]
    [InlineData(3, ".tif")]
    [InlineData(1, ".tif")]
    public void Sixteen_bits_become_eight(int channels, string suffix)
    {
        Vips.EnsureStarted();
        var pixels = TestImages.Smooth(Width, Height, channels);
        var wide = pixels.Select(p => (ushort)(p * 257)).ToArray();
        using var raw = Image.NewFromMemoryCopy<ushort>(wide, Width, Height, channels, Enums.BandFormat.Ushort);
        using var image = raw.Copy(interpretation: channels == 1 ? Enums.Interpretation.Grey16 : Enums.Interpretation.Rgb16);
        var decoded = TestImages.Decode(image.WriteToBuffer(suffix), Width, Height);
        var expected = channels == 3 ? pixels : [.. pixels.SelectMany(p => new[] { p, p, p })];
        Assert.InRange(TestImages.MeanDifference(expected, decoded), 0, 0.01);
    }

    [Theory]
    [InlineData(".png[bitdepth=1]")]
    [InlineData(".tif[bitdepth=1]")]
    [InlineData(".tif[bitdepth=1,compression=ccittfax4]")]
    public void One_bit_is_black_or_white(string suffix)
    {
        byte[] pixels = [.. Enumerable.Range(0, Width * Height).Select(i => (byte)(i % 7 < 3 ? 255 : 0))];
        var decoded = TestImages.Decode(TestImages.Encode(pixels, Width, Height, 1, suffix), Width, Height);
        Assert.Equal(pixels.SelectMany(p => new[] { p, p, p }), decoded);
    }

    [Fact]
    public void A_palette_becomes_its_colours()
    {
        byte[] pixels = [.. Enumerable.Range(0, Width * Height).SelectMany(i => (byte[])(i % 5 < 2 ? [250, 10, 30] : [0, 200, 90]))];
        Assert.Equal(pixels, TestImages.Decode(TestImages.Encode(pixels, Width, Height, 3, ".png[palette,bitdepth=2]"), Width, Height));
    }

    [Theory]
    [InlineData(".jpg[Q=100]")]
    [InlineData(".tif")]
    public void CMYK_becomes_RGB(string suffix)
    {
        // All ink is black, none is white; black is as the printing profile has it, not quite zero.
        foreach (var (ink, light) in new[] { ((byte)255, 0), ((byte)0, 255) })
        {
            Vips.EnsureStarted();
            using var raw = Image.NewFromMemoryCopy<byte>(Enumerable.Repeat(ink, 32 * 32 * 4).ToArray(), 32, 32, 4, Enums.BandFormat.Uchar);
            using var image = raw.Copy(interpretation: Enums.Interpretation.Cmyk);
            Assert.All(TestImages.Decode(image.WriteToBuffer(suffix), 32, 32), b => Assert.InRange(b, light - 60, light + 60));
        }
    }

    [Fact]
    public void Of_an_animation_the_first_frame_is_taken()
    {
        byte[] pixels = [.. Enumerable.Range(0, 20 * 40).SelectMany(i => (byte[])(i < 20 * 20 ? [255, 0, 0] : [0, 0, 255]))];
        foreach (var suffix in new[] { ".gif[page_height=20]", ".webp[lossless,page_height=20]", ".tif[page_height=20]" })
        {
            var file = TestImages.Encode(pixels, 20, 40, 3, suffix);
            Assert.Equal(Enumerable.Range(0, 20 * 20).SelectMany(_ => (byte[])[255, 0, 0]), TestImages.Decode(file, 20, 20));
        }
    }

    [Theory]
    [InlineData(".jpg")]
    [InlineData(".jpg[interlace]")]
    [InlineData(".png")]
    [InlineData(".webp")]
    [InlineData(".gif")]
    [InlineData(".tif")]
    [InlineData(".avif")]
    public void Half_a_file_is_an_error_and_not_half_an_image(string suffix)
    {
        var file = TestImages.Encode(TestImages.Busy(200, 150), 200, 150, 3, suffix);
        foreach (var length in new[] { 13, 20, 60, file.Length / 4, file.Length / 2, file.Length * 3 / 4, file.Length * 9 / 10 })
        {
            var fault = Assert.Throws<Fault>(() => TestImages.Decode(file[..length], 200, 150));
            Assert.True(fault.Kind == FaultKind.InvalidArgument && fault.Field == "image.encoded", suffix);
            Assert.Contains(fault.Reason, new[] { Reasons.ImageMalformed, Reasons.ImageFormatUnknown });
            Assert.DoesNotContain('\n', fault.Message);
        }
    }

    [Fact]
    public void A_header_of_many_pixels_is_refused_before_they_are_decoded()
    {
        // Width and height of a PNG's header, with the checksum that makes it a good one.
        var png = TestImages.Encode(new byte[16 * 16], 16, 16, 1, ".png");
        BinaryPrimitives.WriteInt32BigEndian(png.AsSpan(16), 60_000);
        BinaryPrimitives.WriteInt32BigEndian(png.AsSpan(20), 60_000);
        BinaryPrimitives.WriteUInt32BigEndian(png.AsSpan(29), Crc(png.AsSpan(12, 17)));
        var before = GC.GetTotalAllocatedBytes();
        var fault = Assert.Throws<Fault>(() => TestImages.Decode(png, 16, 16));
        Assert.Equal((Reasons.ImageTooLarge, "image.encoded"), (fault.Reason, fault.Field));
        Assert.Contains("16,384", fault.Message);
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 10_000_000);
    }

    [Theory]
    [InlineData(".jpg")]
    [InlineData(".png")]
    [InlineData(".webp")]
    [InlineData(".gif")]
    [InlineData(".tif")]
    [InlineData(".avif")]
    public void Limits_hold_for_every_format(string suffix)
    {
        var file = TestImages.Encode(TestImages.Smooth(90, 70), 90, 70, 3, suffix);
        ImagingOptions[] tight = [new() { MaxSide = 89 }, new() { MaxPixels = 90 * 70 - 1 }, new() { MaxEncodedBytes = 10 }];
        foreach (var options in tight)
        {
            Assert.Equal(Reasons.ImageTooLarge, Assert.Throws<Fault>(() => TestImages.Rgb(TestImages.File(file), TestImages.Spec(90, 70), options)).Reason);
        }
        TestImages.Rgb(TestImages.File(file), TestImages.Spec(90, 70), new ImagingOptions { MaxSide = 90, MaxPixels = 90 * 70, MaxEncodedBytes = file.Length });
    }

    [Theory]
    [InlineData(1001, 903)]
    [InlineData(1024, 768)]
    public void Shrinking_while_loading_does_not_show(int width, int height)
    {
        var pixels = TestImages.Smooth(width, height);
        var jpeg = TestImages.Encode(pixels, width, height, 3, ".jpg[Q=95]");
        var png = TestImages.Encode(pixels, width, height, 3, ".png");
        var spec = TestImages.Spec(100, 90);
        Assert.InRange(TestImages.MeanDifference(TestImages.Rgb(TestImages.File(png), spec), TestImages.Rgb(TestImages.File(jpeg), spec)), 0, 1);
    }

    private static uint Crc(ReadOnlySpan<byte> data)
    {
        var crc = ~0u;
        foreach (var b in data)
        {
            crc ^= b;
            for (var i = 0; i < 8; i++)
            {
                crc = (crc & 1) == 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
            }
        }
        return ~crc;
    }
}
