using System.Buffers.Binary;
using Embeddings.Core.Imaging;
using Embeddings.Core.Models;
using Embeddings.Testing;
using NetVips;

namespace Embeddings.Core.Tests.Imaging;

/// <summary>Colors of embedded ICC profiles become sRGB; profiles that cannot be used are ignored.</summary>
public sealed class ColorProfileTests
{
    private const int Side = 16;

    // Linear Display P3 to linear sRGB: the product of the published matrices of both with XYZ (white point D65).
    private static readonly double[,] P3ToStandard =
    {
        { 1.2249401762805598, -0.2249401762805598, 0 },
        { -0.0420569547096881, 1.0420569547096881, 0 },
        { -0.0196375545903344, -0.0786360455506319, 1.0982736001409663 },
    };

    [Theory]
    [InlineData(".png", 2)]
    [InlineData(".png[interlace]", 2)]
    [InlineData(".tif", 2)]
    [InlineData(".tif[compression=lzw,tile]", 2)]
    [InlineData(".webp[lossless]", 2)]
    [InlineData(".jpg[Q=100,subsample_mode=off]", 3)]
    [InlineData(".jpg[Q=100,subsample_mode=off,interlace]", 3)]
    [InlineData(".avif[lossless]", 2)]
    public void Display_P3_becomes_sRGB(string suffix, int tolerance)
    {
        byte[][] colors = [[184, 50, 49], [200, 30, 40], [10, 200, 90], [128, 128, 128], [255, 255, 255], [0, 0, 0], [90, 60, 220], [250, 200, 30]];
        foreach (var color in colors)
        {
            var decoded = TestImages.Decode(Flat(color, suffix, Profile("p3")), Side, Side);
            Assert.All(P3(color).Zip(decoded.AsSpan(Side * Side / 2 * 3, 3).ToArray()), pair => Assert.InRange(pair.Second, pair.First - tolerance, pair.First + tolerance));
        }
    }

    [Fact]
    public void The_same_color_in_both_spaces_is_the_same()
    {
        var wide = TestImages.Decode(Flat([184, 50, 49], ".png", Profile("p3")), Side, Side);
        Assert.All(wide[..3].Zip(new byte[] { 200, 30, 40 }), pair => Assert.InRange(pair.First, pair.Second - 2, pair.Second + 2));
    }

    [Theory]
    [InlineData(".png")]
    [InlineData(".tif")]
    public void Sixteen_bits_and_transparency_are_converted_too(string suffix)
    {
        Vips.EnsureStarted();
        ushort[] pixel = [184 * 257, 50 * 257, 49 * 257, 128 * 257];
        using var raw = Image.NewFromMemoryCopy<ushort>([.. Enumerable.Range(0, Side * Side).SelectMany(_ => pixel)], Side, Side, 4, Enums.BandFormat.Ushort);
        using var image = raw.Copy(interpretation: Enums.Interpretation.Rgb16);
        var decoded = TestImages.Decode(Write(image, suffix, Profile("p3")), Side, Side);
        Assert.All(decoded[..3].Zip(new[] { 100, 15, 20 }), pair => Assert.InRange(pair.First, pair.Second - 2, pair.Second + 2));
    }

    [Fact]
    public void Photographs_are_converted_before_they_are_resized_and_turned()
    {
        var pixels = TestImages.Smooth(640, 480);
        var spec = TestImages.Spec(64, 48);
        var converted = pixels.Chunk(3).SelectMany(P3).Select(value => (byte)Math.Round(value)).ToArray();
        var wide = TestImages.Rgb(TestImages.File(Write(Raw(pixels, 640, 480, 3), ".jpg[Q=95]", Profile("p3"))), spec);
        Assert.InRange(TestImages.MeanDifference(TestImages.Rgb(TestImages.File(TestImages.Encode(converted, 640, 480, 3, ".png")), spec), wide), 0, 1.5);

        using var turned = Raw(pixels, 640, 480, 3).Mutate(image => image.Set(GValue.GIntType, "orientation", 3));
        var upright = TestImages.Rgb(TestImages.File(Write(turned, ".jpg[Q=95]", Profile("p3"))), spec);
        Assert.InRange(TestImages.MeanDifference([.. wide.Chunk(3).Reverse().SelectMany(color => color)], upright), 0, 1.5);
    }

    [Theory]
    [InlineData(1.0)]
    [InlineData(1.8)]
    [InlineData(2.6)]
    public void Gray_of_another_curve_becomes_that_of_sRGB(double gamma)
    {
        foreach (var suffix in new[] { ".png", ".jpg[Q=100]", ".tif" })
        {
            foreach (var value in new byte[] { 0, 40, 128, 200, 255 })
            {
                var file = Write(Raw([.. Enumerable.Repeat(value, Side * Side)], Side, Side, 1), suffix, GrayProfile(Curve(gamma)));
                var expected = 255 * Encoded(Math.Pow(value / 255.0, gamma));
                Assert.All(TestImages.Decode(file, Side, Side), b => Assert.InRange(b, expected - 2, expected + 2));
            }
        }
    }

    public static TheoryData<string> StandardProfiles() => ["libvips", "table", "parametric"];

    [Theory]
    [MemberData(nameof(StandardProfiles))]
    public void A_profile_that_is_sRGB_changes_nothing(string kind)
    {
        var profile = kind switch
        {
            "libvips" => Profile("srgb"),
            "table" => RgbProfile(0.4361, Table()),
            _ => RgbProfile(0.4361, Parametric()),
        };
        var file = Write(Raw(TestImages.Busy(60, 40), 60, 40, 3), ".png", profile);
        using var opened = EncodedImage.Open(file, new());
        Assert.False(opened.ConvertsColors);
        Assert.Equal(TestImages.Busy(60, 40), TestImages.Decode(file, 60, 40));
        using var other = EncodedImage.Open(Write(Raw(TestImages.Busy(60, 40), 60, 40, 3), ".png", RgbProfile(0.5151, Table())), new());
        Assert.True(other.ConvertsColors);
    }

    [Fact]
    public void A_gray_profile_that_is_of_sRGB_changes_nothing()
    {
        foreach (var profile in new[] { Profile("sgrey"), GrayProfile(Table()), GrayProfile(Parametric()) })
        {
            var file = Write(Raw(TestImages.Busy(60, 40, 1), 60, 40, 1), ".png", profile);
            using var opened = EncodedImage.Open(file, new());
            Assert.False(opened.ConvertsColors);
        }
    }

    public static TheoryData<string> UselessProfiles() => ["empty", "noise", "cut", "no tags", "gray", "CMYK", "Lab", "other tags"];

    [Theory]
    [MemberData(nameof(UselessProfiles))]
    public void A_profile_that_cannot_be_used_is_ignored(string kind)
    {
        var good = Profile("p3");
        byte[] profile = kind switch
        {
            "empty" => new byte[200],
            "noise" => [.. good[..128], .. TestImages.Busy(20, 20)],
            "cut" => good[..(good.Length / 2)],
            "no tags" => [.. good[..128], 0, 0, 0, 0],
            "gray" => Profile("sgrey"),
            "CMYK" => [.. good[..16], .. "CMYK"u8, .. good[20..]],
            "Lab" => [.. good[..16], .. "Lab "u8, .. good[20..]],
            _ => [.. good[..132], .. new byte[good.Length - 132]],
        };
        foreach (var suffix in new[] { ".webp[lossless]", ".tif", ".tif[compression=lzw,tile]" })
        {
            var pixels = TestImages.Busy(60, 40);
            Assert.Equal(pixels, TestImages.Decode(Write(Raw(pixels, 60, 40, 3), suffix, profile), 60, 40));
        }
    }

    [Fact]
    public void Profiles_with_any_bytes_never_fail_an_image()
    {
        var random = new Random(7);
        var good = Profile("p3");
        var pixels = Raw(TestImages.Busy(20, 20), 20, 20, 3);
        for (var i = 0; i < 300; i++)
        {
            var changed = (byte[])good.Clone();
            for (var n = random.Next(1, 10); n > 0; n--)
            {
                changed[random.Next(changed.Length)] = (byte)random.Next(256);
            }
            Assert.Equal(20 * 20 * 3, TestImages.Decode(Write(pixels, ".tif", changed), 20, 20).Length);
        }
    }

    private static double[] P3(byte[] color)
    {
        var light = color.Select(value => Light(value / 255.0)).ToArray();
        return [.. Enumerable.Range(0, 3).Select(i => 255 * Encoded(Math.Clamp(Enumerable.Range(0, 3).Sum(j => P3ToStandard[i, j] * light[j]), 0, 1)))];
    }

    private static double Light(double x) => x <= 0.04045 ? x / 12.92 : Math.Pow((x + 0.055) / 1.055, 2.4);

    private static double Encoded(double x) => x <= 0.0031308 ? x * 12.92 : (1.055 * Math.Pow(x, 1 / 2.4)) - 0.055;

    private static byte[] Profile(string name)
    {
        Vips.EnsureStarted();
        return Image.ProfileLoad(name);
    }

    private static byte[] Flat(byte[] color, string suffix, byte[] profile) =>
        Write(Raw([.. Enumerable.Range(0, Side * Side).SelectMany(_ => color)], Side, Side, 3), suffix, profile);

    private static Image Raw(byte[] pixels, int width, int height, int channels)
    {
        Vips.EnsureStarted();
        Operation.Block("VipsForeignSaveHeif", false);
        using var raw = Image.NewFromMemoryCopy<byte>(pixels, width, height, channels, Enums.BandFormat.Uchar);
        return raw.Copy(interpretation: channels < 3 ? Enums.Interpretation.Bw : Enums.Interpretation.Srgb);
    }

    private static byte[] Write(Image image, string suffix, byte[] profile)
    {
        using var tagged = image.Mutate(header => header.Set(GValue.BlobType, "icc-profile-data", profile));
        return tagged.WriteToBuffer(suffix);
    }

    private static byte[] Curve(double gamma) => [.. "curv"u8, 0, 0, 0, 0, 0, 0, 0, 1, (byte)gamma, (byte)(gamma % 1 * 256), 0, 0];

    private static byte[] Table()
    {
        var curve = new byte[12 + (2 * 1024)];
        "curv"u8.CopyTo(curve);
        BinaryPrimitives.WriteInt32BigEndian(curve.AsSpan(8), 1024);
        for (var i = 0; i < 1024; i++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(curve.AsSpan(12 + (2 * i)), (ushort)Math.Round(Light(i / 1023.0) * 65535));
        }
        return curve;
    }

    private static byte[] Parametric() =>
        [.. "para"u8, 0, 0, 0, 0, 0, 3, 0, 0, .. new[] { 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045 }.SelectMany(Fixed)];

    private static byte[] GrayProfile(byte[] curve) => Build("GRAY", [("wtpt", Xyz(0.9642, 1, 0.8249)), ("kTRC", curve)]);

    private static byte[] RgbProfile(double red, byte[] curve) => Build(
        "RGB ",
        [
            ("wtpt", Xyz(0.9642, 1, 0.8249)),
            ("rXYZ", Xyz(red, 0.2225, 0.0139)), ("gXYZ", Xyz(0.3851, 0.7169, 0.0971)), ("bXYZ", Xyz(0.1431, 0.0606, 0.7141)),
            ("rTRC", curve), ("gTRC", curve), ("bTRC", curve),
        ]);

    private static byte[] Xyz(double x, double y, double z) => [.. "XYZ "u8, 0, 0, 0, 0, .. Fixed(x), .. Fixed(y), .. Fixed(z)];

    private static byte[] Fixed(double value) => Number((int)Math.Round(value * 65536));

    private static byte[] Number(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }

    // ICC.1, version 2: a header of 128 bytes, a table of tags, and their data.
    private static byte[] Build(string space, (string Name, byte[] Data)[] tags)
    {
        var table = new List<byte>(Number(tags.Length));
        var data = new List<byte>();
        foreach (var (name, content) in tags)
        {
            table.AddRange([.. System.Text.Encoding.ASCII.GetBytes(name), .. Number(132 + (12 * tags.Length) + data.Count), .. Number(content.Length)]);
            data.AddRange([.. content, .. new byte[(4 - (content.Length % 4)) % 4]]);
        }
        var header = new byte[128];
        BinaryPrimitives.WriteInt32BigEndian(header, 128 + table.Count + data.Count);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(8), 0x02400000);
        System.Text.Encoding.ASCII.GetBytes($"mntr{space}XYZ ").CopyTo(header, 12);
        "acsp"u8.CopyTo(header.AsSpan(36));
        Xyz(0.9642, 1, 0.8249)[8..].CopyTo(header, 68);
        return [.. header, .. table, .. data];
    }
}
