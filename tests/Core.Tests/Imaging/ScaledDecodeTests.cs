using Embeddings.Core.Imaging;
using Embeddings.Core.Memory;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Testing;
using NetVips;

namespace Embeddings.Core.Tests.Imaging;

/// <summary>JPEG files decoded at a reduced size give the same image as those decoded at full size, and the same errors.</summary>
public sealed class ScaledDecodeTests
{
    private const double MaxDifference = 0.3;
    private const double MinCosine = 0.9999;

    private static readonly Lazy<byte[]> Phone = new(() => TestImages.Encode(TestImages.Scene(4000, 3000, 1), 4000, 3000, 3, ".jpg[Q=85]"));

    private static readonly Preprocessor Preprocessor = new(new ImagingOptions());

    /// <summary>The preprocessing of the default image model, and of models trained with torchvision and by OpenAI.</summary>
    internal static (string Name, InputSpec Spec)[] Presets { get; } =
    [
        ("resnet18", TestImages.Spec(224, 224)),
        ("imagenet-torchvision", TestImages.Spec(224, 224, ResizeMode.CenterCrop) with { ResizeTo = 256 }),
        ("clip-openai", TestImages.Spec(224, 224, ResizeMode.CenterCrop, Interpolation.Bicubic)),
    ];

    public static TheoryData<int, int> Sizes => new()
    {
        { 4000, 3000 }, { 3000, 4000 }, { 1001, 903 }, { 1023, 769 }, { 2047, 901 }, { 897, 2500 }, { 1000, 1000 }, { 999, 1007 },
    };

    public static TheoryData<string> Kinds => new() { "interlace", "gray", "CMYK", "ICC", "4:4:4", "gray interlace", "CMYK interlace" };

    [Fact]
    public void A_photo_of_a_phone_differs_by_less_than_a_third_of_a_level()
    {
        foreach (var (_, spec) in Presets)
        {
            Assert.Equal(4, Placement.Of(4000, 3000, spec).ShrinkFactor(4000, 3000));
            var (scaled, full) = Both(Phone.Value, spec);
            Assert.NotEqual(full, scaled);
            Assert.InRange(TestImages.MeanDifference(scaled, full), 0, MaxDifference);
            Assert.InRange(Cosine(scaled, full), MinCosine, 1);
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Nothing_moves_by_a_part_of_a_pixel(int width, int height)
    {
        var jpeg = TestImages.Encode(TestImages.Smooth(width, height), width, height, 3, ".jpg[Q=95]");
        foreach (var side in (int[])[100, 56])
        {
            foreach (var mode in Enum.GetValues<ResizeMode>())
            {
                foreach (var filter in Enum.GetValues<Interpolation>())
                {
                    var spec = TestImages.Spec(side, side, mode, filter);
                    Assert.InRange(Placement.Of(width, height, spec).ShrinkFactor(width, height), 2, 8);
                    AssertSame(jpeg, spec);
                }
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void Turned_images_are_the_same(int orientation)
    {
        // No side is a multiple of eight, so that the last pixel of each is a part of one.
        const int Width = 1501;
        const int Height = 1219;
        Vips.EnsureStarted();
        using var raw = Image.NewFromMemoryCopy<byte>(TestImages.Smooth(Width, Height), Width, Height, 3, Enums.BandFormat.Uchar);
        using var tagged = raw.Mutate(image => image.Set(GValue.GIntType, "orientation", orientation));
        foreach (var suffix in (string[])[".jpg[Q=95]", ".jpg[Q=95,interlace]"])
        {
            var jpeg = tagged.WriteToBuffer(suffix);
            foreach (var side in (int[])[224, 112, 64])
            {
                AssertSame(jpeg, TestImages.Spec(side, side));
                AssertSame(jpeg, TestImages.Spec(side, side, ResizeMode.CenterCrop));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_kind_of_JPEG_is_the_same(string kind)
    {
        var jpeg = Make(kind, 1210, 1003);
        foreach (var (_, spec) in Presets)
        {
            AssertSame(jpeg, spec);
        }
        AssertSame(jpeg, TestImages.Spec(64, 64) with { ColorOrder = Core.Models.ColorOrder.Gray });
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 3)]
    [InlineData(16, 16)]
    [InlineData(447, 4000)]
    [InlineData(895, 895)]
    public void Small_images_are_decoded_at_full_size(int width, int height)
    {
        var jpeg = TestImages.Encode(TestImages.Smooth(width, height), width, height, 3, ".jpg");
        var (scaled, full) = Both(jpeg, TestImages.Spec(224, 224));
        Assert.Equal(full, scaled);
    }

    [Fact]
    public void Full_size_is_the_default_of_no_model_and_scaled_that_of_all()
    {
        var spec = TestImages.Spec(224, 224);
        Assert.Null(spec.Decode);
        Assert.Equal(Rgb(Phone.Value, spec with { Decode = DecodeMode.Scaled }), Rgb(Phone.Value, spec));
        Assert.Equal(DecodeMode.Scaled, spec.WithDecode().Decode);
        Assert.Equal(DecodeMode.Full, (spec with { Decode = DecodeMode.Full }).WithDecode().Decode);
    }

    [Fact]
    public void Full_size_is_decoded_as_libvips_does_it()
    {
        var spec = TestImages.Spec(224, 224) with { Decode = DecodeMode.Full };
        using var decoded = Image.NewFromBuffer(Phone.Value);
        var expected = new byte[224 * 224 * 3];
        var pixels = new PixelView(decoded.WriteToMemory<byte>(), 4000, 3000, 3);
        Resampler.Draw(pixels, SourceBox.Whole(4000, 3000), new(224, 224, 0, 0), Interpolation.Bilinear, expected, 224, 224);
        Assert.Equal(expected, Rgb(Phone.Value, spec));
    }

    [Fact]
    public void Faces_are_aligned_from_the_full_size()
    {
        // Of a face that leaves nine times the crop's pixels, the aligner would sample means of four pixels instead of pixels.
        var jpeg = TestImages.Encode(TestImages.Scene(1600, 1200, 1), 1600, 1200, 3, ".jpg[Q=85]");
        var points = TestImages.Landmarks(9, 200, 100);
        var face = new Landmarks(At(points.LeftEye), At(points.RightEye), At(points.Nose), At(points.LeftMouthCorner), At(points.RightMouthCorner));
        var spec = TestImages.Spec(112, 112);
        var image = TestImages.File(jpeg, face);
        Assert.Equal(
            TestImages.Rgb(image, spec with { Decode = DecodeMode.Full }), TestImages.Rgb(image, spec with { Decode = DecodeMode.Scaled }));

        static System.Numerics.Vector2 At(V1.Point point) => new(point.X, point.Y);
    }

    [Theory]
    [InlineData("")]
    [InlineData("interlace")]
    public void A_truncated_file_is_refused_at_every_size(string options)
    {
        var jpeg = TestImages.Encode(TestImages.Scene(1400, 1100, 3), 1400, 1100, 3, $".jpg[Q=80,{options}]");
        for (var part = 1; part < 20; part++)
        {
            var cut = jpeg[..(jpeg.Length * part / 20)];
            foreach (var side in (int[])[50, 100, 224])
            {
                var spec = TestImages.Spec(side, side);
                Assert.InRange(Placement.Of(1400, 1100, spec).ShrinkFactor(1400, 1100), 2, 8);
                Assert.Equal(Reasons.ImageMalformed, Verdict(cut, spec with { Decode = DecodeMode.Scaled }));
                Assert.Equal(Reasons.ImageMalformed, Verdict(cut, spec with { Decode = DecodeMode.Full }));
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("interlace")]
    public void A_damaged_file_is_refused_at_every_size_or_at_none(string options)
    {
        var jpeg = TestImages.Encode(TestImages.Scene(1000, 900, 4), 1000, 900, 3, $".jpg[Q=80,{options}]");
        var random = new Random(5);
        var refused = 0;
        for (var i = 0; i < 60; i++)
        {
            var damaged = jpeg.ToArray();
            var at = random.Next(200, damaged.Length - 200);
            random.NextBytes(damaged.AsSpan(at, random.Next(1, 100)));
            var spec = TestImages.Spec(60, 60);
            var verdict = Verdict(damaged, spec with { Decode = DecodeMode.Full });
            Assert.Equal(verdict, Verdict(damaged, spec with { Decode = DecodeMode.Scaled }));
            refused += verdict is null ? 0 : 1;
        }
        Assert.InRange(refused, 1, 60);
    }

    [Fact]
    public void A_file_decoded_at_full_size_is_charged_for_it()
    {
        var gate = new FairGate(2, 1 << 30);
        var image = TestImages.File(Phone.Value);
        using var file = EncodedImage.Open(Phone.Value, new());
        var spec = TestImages.Spec(224, 224);
        var scaled = Preprocessor.Cost(file, image, spec with { Decode = DecodeMode.Scaled }, gate);
        var full = Preprocessor.Cost(file, image, spec with { Decode = DecodeMode.Full }, gate);
        Assert.Equal(DecodeCost.Of(file, 1, isAligned: false, spec, gate), full);
        Assert.Equal(DecodeCost.Of(file, 4, isAligned: false, spec, gate), scaled);
        // The rows of 4,000 pixels that are in memory together, instead of those of 1,000.
        Assert.InRange(full.Bytes - scaled.Bytes, 64 * 3_000 * 3, 4000 * 3000);
    }

    [MaterialFact]
    public void On_photos_the_mean_difference_is_less_than_a_third_of_a_level()
    {
        foreach (var (name, spec) in Presets)
        {
            var differences = new List<double>();
            foreach (var jpeg in Photos())
            {
                using var file = EncodedImage.Open(jpeg, new());
                if (Placement.Of(file.Width, file.Height, spec).ShrinkFactor(file.Width, file.Height) > 1)
                {
                    var (scaled, full) = Both(jpeg, spec);
                    differences.Add(TestImages.MeanDifference(scaled, full));
                    Assert.InRange(Cosine(scaled, full), MinCosine, 1);
                }
            }
            Assert.InRange(differences.Count, 20, int.MaxValue);
            TestContext.Current.SendDiagnosticMessage(
                "{0}: {1} photos, mean difference {2:0.000}, largest {3:0.000}", name, differences.Count, differences.Average(), differences.Max());
            Assert.InRange(differences.Average(), 0, MaxDifference);
            Assert.InRange(differences.Max(), 0, 2 * MaxDifference);
        }
    }

    // Photographs, not the broken files of Pillow's tests.
    private static IEnumerable<byte[]> Photos() =>
        from folder in (string[])[Material.Path("images", "azure-samples"), Material.Path("images", "exif-orientation"), Material.Path("faces")]
        from path in Directory.EnumerateFiles(folder, "*.jpg", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
        select File.ReadAllBytes(path);

    private static void AssertSame(byte[] jpeg, InputSpec spec)
    {
        var (scaled, full) = Both(jpeg, spec);
        Assert.InRange(TestImages.MeanDifference(scaled, full), 0, MaxDifference);
        Assert.InRange(Cosine(scaled, full), MinCosine, 1);
    }

    private static (byte[] Scaled, byte[] Full) Both(byte[] jpeg, InputSpec spec) =>
        (Rgb(jpeg, spec with { Decode = DecodeMode.Scaled }), Rgb(jpeg, spec with { Decode = DecodeMode.Full }));

    // The tensor as bytes: one plane of a gray model, which rounds, or interleaved colors.
    private static byte[] Rgb(byte[] jpeg, InputSpec spec)
    {
        if (spec.Channels == 3)
        {
            return TestImages.Rgb(TestImages.File(jpeg), spec);
        }
        using var prepared = Preprocessor.Prepare(TestImages.File(jpeg), spec with { Mean = [0], Std = [1] });
        var tensor = new float[spec.TensorLength];
        prepared.WriteTo(tensor, spec with { Mean = [0], Std = [1] });
        return [.. tensor.Select(value => (byte)Math.Round(value))];
    }

    private static string? Verdict(byte[] jpeg, InputSpec spec)
    {
        try
        {
            TestImages.Rgb(TestImages.File(jpeg), spec);
            return null;
        }
        catch (Fault fault)
        {
            return fault.Reason;
        }
    }

    private static byte[] Make(string kind, int width, int height)
    {
        var options = kind.Contains("interlace", StringComparison.Ordinal) ? ",interlace" : "";
        if (kind.StartsWith("gray", StringComparison.Ordinal))
        {
            return TestImages.Encode(TestImages.Smooth(width, height, 1), width, height, 1, $".jpg[Q=95{options}]");
        }
        if (kind == "4:4:4")
        {
            return TestImages.Encode(TestImages.Smooth(width, height), width, height, 3, ".jpg[Q=95,subsample-mode=off]");
        }
        Vips.EnsureStarted();
        if (kind == "ICC")
        {
            using var plain = Image.NewFromMemoryCopy<byte>(TestImages.Smooth(width, height), width, height, 3, Enums.BandFormat.Uchar);
            using var colors = plain.Copy(interpretation: Enums.Interpretation.Srgb);
            using var tagged = colors.Mutate(image => image.Set(GValue.BlobType, "icc-profile-data", Image.ProfileLoad("p3")));
            return tagged.WriteToBuffer(".jpg[Q=95]");
        }
        using var raw = Image.NewFromMemoryCopy<byte>(TestImages.Smooth(width, height, 4), width, height, 4, Enums.BandFormat.Uchar);
        using var inks = raw.Copy(interpretation: Enums.Interpretation.Cmyk);
        return inks.WriteToBuffer($".jpg[Q=95{options}]");
    }

    private static double Cosine(byte[] a, byte[] b)
    {
        double ab = 0, aa = 0, bb = 0;
        for (var i = 0; i < a.Length; i++)
        {
            ab += a[i] * b[i];
            aa += a[i] * a[i];
            bb += b[i] * b[i];
        }
        return ab / Math.Sqrt(aa * bb);
    }
}
