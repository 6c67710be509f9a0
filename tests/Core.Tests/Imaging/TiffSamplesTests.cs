using System.Buffers.Binary;
using Embeddings.Core.Imaging;
using Embeddings.Primitives;
using Embeddings.Testing;
using NetVips;

namespace Embeddings.Core.Tests.Imaging;

/// <summary>Samples of TIFF files have one scale, or are refused with what they should be.</summary>
public sealed class TiffSamplesTests
{
    private const int Width = 13;
    private const int Height = 7;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Floats_from_0_to_1_are_black_to_white(int channels)
    {
        var pixels = TestImages.Busy(Width, Height, channels);
        var decoded = Decode([.. pixels.Select(p => p / 255.0)], channels, Enums.BandFormat.Float);
        Assert.Equal(OnBlack(pixels, channels), decoded, (a, b) => Math.Abs(a - b) <= (channels % 2 == 0 ? 1 : 0));
    }

    [Theory]
    [InlineData(0, 255, 1)]
    [InlineData(-0.1, 1, 3)]
    [InlineData(0, 1.1, 3)]
    [InlineData(0, double.NaN, 1)]
    [InlineData(0, double.PositiveInfinity, 3)]
    public void Floats_of_another_scale_are_refused(double lowest, double highest, int channels)
    {
        double[] samples = [lowest, .. Enumerable.Repeat(0.5, (Width * Height * channels) - 2), highest];
        var fault = Assert.Throws<Fault>(() => Decode(samples, channels, Enums.BandFormat.Float));
        Assert.Equal((Reasons.ImageUnsupported, "image.encoded"), (fault.Reason, fault.Field));
        Assert.Contains("from 0 (black) to 1 (white)", fault.Message);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    public void Integers_of_32_bits_keep_their_upper_8(int channels)
    {
        var pixels = TestImages.Busy(Width, Height, channels);
        var decoded = Decode([.. pixels.Select(p => (p * 16_777_216.0) + 9_000_000)], channels, Enums.BandFormat.Uint);
        Assert.Equal(OnBlack(pixels, channels), decoded, (a, b) => Math.Abs(a - b) <= (channels == 4 ? 1 : 0));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Integers_of_16_bits_keep_their_upper_8(int channels)
    {
        var pixels = TestImages.Busy(Width, Height, channels);
        Assert.Equal(OnBlack(pixels, channels), Decode([.. pixels.Select(p => (p * 256.0) + 77)], channels, Enums.BandFormat.Ushort));
    }

    [Theory]
    [InlineData(Enums.BandFormat.Char, "signed integers")]
    [InlineData(Enums.BandFormat.Short, "signed integers")]
    [InlineData(Enums.BandFormat.Int, "signed integers")]
    [InlineData(Enums.BandFormat.Complex, "64")]
    [InlineData(Enums.BandFormat.Double, "at most 32 bits; got 64")]
    public void Samples_without_a_scale_are_refused(Enums.BandFormat format, string name)
    {
        var fault = Assert.Throws<Fault>(() => Decode([.. Enumerable.Repeat(5.0, Width * Height)], 1, format));
        Assert.Equal((Reasons.ImageUnsupported, "image.encoded"), (fault.Reason, fault.Field));
        Assert.Contains(name, fault.Message);
    }

    [Theory]
    [InlineData(100, 0, 0, 255, 255, 255)]
    [InlineData(0, 0, 0, 0, 0, 0)]
    [InlineData(53.585, 0, 0, 128, 128, 128)]
    [InlineData(44, 64, 42, 200, 28, 39)]
    [InlineData(60, 10, 40, 177, 137, 73)]
    [InlineData(70, 20, -30, 186, 159, 226)]
    public void CIELAB_becomes_sRGB(double light, double a, double b, byte red, byte green, byte blue)
    {
        byte[] expected = [red, green, blue];
        byte[] lab = [(byte)Math.Round(light * 255 / 100), (byte)(sbyte)a, (byte)(sbyte)b];
        foreach (var suffix in new[] { ".tif", ".tif[compression=deflate]", ".tif[tile]" })
        {
            var file = TestImages.Encode([.. Enumerable.Range(0, Width * Height).SelectMany(_ => lab)], Width, Height, 3, suffix);
            Assert.True(TiffDirectory.TryFind(file, 262, out var photometric, out var at));
            Assert.Equal(2, photometric);
            file[at] = 8;
            Assert.All(TestImages.Decode(file, Width, Height).Chunk(3), color =>
                Assert.All(color.Zip(expected), pair => Assert.InRange(pair.First, pair.Second - 3, pair.Second + 3)));
        }

        Vips.EnsureStarted();
        using var floats = Image.NewFromMemoryCopy<float>([.. Enumerable.Range(0, Width * Height).SelectMany(_ => new[] { (float)light, (float)a, (float)b })], Width, Height, 3, Enums.BandFormat.Float);
        using var image = floats.Copy(interpretation: Enums.Interpretation.Lab);
        using var wide = image.Colourspace(Enums.Interpretation.Labs);
        foreach (var file in new[] { image.WriteToBuffer(".tif"), wide.WriteToBuffer(".tif") })
        {
            Assert.All(TestImages.Decode(file, Width, Height)[..3].Zip(expected), pair => Assert.InRange(pair.First, pair.Second - 3, pair.Second + 3));
        }
    }

    private static byte[] Decode(double[] samples, int channels, Enums.BandFormat format)
    {
        Vips.EnsureStarted();
        using var raw = Image.NewFromMemoryCopy<double>(samples, Width, Height, channels, Enums.BandFormat.Double);
        using var cast = raw.Cast(format);
        using var image = cast.Copy(interpretation: Interpretation(channels, format));
        return TestImages.Decode(image.WriteToBuffer(".tif"), Width, Height);
    }

    private static Enums.Interpretation Interpretation(int channels, Enums.BandFormat format)
    {
        if (channels < 3)
        {
            return format == Enums.BandFormat.Ushort ? Enums.Interpretation.Grey16 : Enums.Interpretation.Bw;
        }
        return format == Enums.BandFormat.Ushort ? Enums.Interpretation.Rgb16 : Enums.Interpretation.Srgb;
    }

    private static byte[] OnBlack(byte[] pixels, int channels)
    {
        var colors = channels < 3 ? 1 : 3;
        return
        [
            .. pixels.Chunk(channels).SelectMany(pixel => Enumerable.Range(0, 3).Select(i =>
                (byte)(pixel[colors == 1 ? 0 : i] * (channels > colors ? pixel[colors] : 255) / 255))),
        ];
    }
}
