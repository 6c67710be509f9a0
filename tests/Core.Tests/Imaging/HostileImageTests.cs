using Embeddings.Core.Imaging;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Testing;
using FsCheck;
using FsCheck.Fluent;

namespace Embeddings.Core.Tests.Imaging;

/// <summary>Any input gives an image or a fault that says what is wrong with it.</summary>
public sealed class HostileImageTests
{
    private static readonly ImagingOptions Limits = new() { MaxSide = 2000, MaxPixels = 1_000_000 };

    private static readonly byte[][] Files =
    [
        .. new[]
        {
            ".jpg", ".jpg[interlace]", ".png", ".png[palette]", ".webp", ".webp[lossless]", ".gif",
            ".tif", ".tif[compression=lzw,tile]", ".tif[compression=jpeg]", ".avif",
        }.Select(suffix => TestImages.Encode(TestImages.Smooth(80, 60), 80, 60, 3, suffix)),
    ];

    private static readonly byte[][] Signatures =
    [
        [0xFF, 0xD8, 0xFF], [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], [.. "GIF89a"u8], [.. "RIFF\0\0\u0001\0WEBPVP8 "u8],
        [.. "II*\0\b\0\0\0"u8], [.. "\0\0\0\u0018ftypavif"u8], [],
    ];

    private static Gen<byte[]> Noise(int most) => Gen.Choose(0, 255).Select(i => (byte)i).ArrayOf().Resize(most);

    [Fact]
    public void Random_bytes() =>
        Run(from signature in Gen.Elements(Signatures) from rest in Noise(300) select signature.Concat(rest).ToArray(), 300);

    [Fact]
    public void Cut_off_files() =>
        Run(from file in Gen.Elements(Files) from at in Gen.Choose(0, file.Length) select file[..at], 150);

    [Fact]
    public void Files_with_other_headers() =>
        Run(
            from file in Gen.Elements(Files) from at in Gen.Choose(0, Math.Min(400, file.Length) - 1) from noise in Noise(6) select Overwrite(file, at, noise),
            300);

    [Fact]
    public void Files_with_other_bits_anywhere() =>
        Run(from file in Gen.Elements(Files) from at in Gen.Choose(0, file.Length - 1) from noise in Noise(20) select Overwrite(file, at, noise), 150);

    [Fact]
    public void Raw_pixels_of_any_size_and_length()
    {
        var side = Gen.OneOf(Gen.Choose(-2, 40), Gen.Elements(int.MinValue, int.MaxValue, 65_536, 46_341));
        var images =
            from width in side
            from height in side
            from format in Gen.Choose(1, 10)
            from padding in Gen.OneOf(Gen.Choose(-60, 60), Gen.Elements(int.MinValue, int.MaxValue, 1_048_576))
            from colors in Gen.Choose(0, 11)
            from right in Gen.Choose(0, 3)
            from wrong in Gen.Choose(0, 500)
            from mode in Gen.Choose(1, 3)
            from kind in Gen.Choose(1, 2)
            select (width, height, format, padding, colors, right, wrong, mode, kind);
        Prop.ForAll(images.ToArbitrary(), x =>
        {
            var image = new ImageInput(default, (PixelFormat)x.format, x.width, x.height)
            {
                RowStride = x.padding < 0 ? 0 : (int)Math.Min(x.padding + ((long)x.width * (x.format > 3 ? 4 : 3)), int.MaxValue),
                YuvMatrix = (YuvMatrix)(x.colors < 6 == x.format is 8 or 9 ? 1 + (x.colors % 2) : 0),
                YuvRange = (YuvRange)(x.format is 8 or 9 ? x.colors % 3 : 0),
            };
            var isSmall = x.width is > 0 and < 100 && x.height is > 0 and < 100;
            var size = isSmall ? PixelPlanes.Of(image).Length : 0;
            image = image with { Data = new byte[x.right > 0 && size is > 0 and < 100_000 ? size : x.wrong] };
            var spec = TestImages.Spec(17, 13, (ResizeMode)x.mode, (Interpolation)x.kind);
            return OnlyFaults(image, spec);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));
    }

    [Fact]
    public void Any_landmarks()
    {
        var number = Gen.OneOf(
            Gen.Choose(-200, 200).Select(i => i / 2f), Gen.Choose(0, 63).Select(i => (float)i), Gen.Elements(float.NaN, float.MaxValue, float.NegativeInfinity, 1e-30f));
        var pixels = TestImages.Busy(64, 64);
        Prop.ForAll(number.ArrayOf(10).ToArbitrary(), p =>
        {
            var face = new Landmarks(new(p[0], p[1]), new(p[2], p[3]), new(p[4], p[5]), new(p[6], p[7]), new(p[8], p[9]));
            return OnlyFaults(new ImageInput(pixels, PixelFormat.Rgb8, 64, 64, face), TestImages.Spec(24, 24));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    private static void Run(Gen<byte[]> files, int count) =>
        Prop.ForAll(files.ToArbitrary(), file => OnlyFaults(TestImages.File(file), TestImages.Spec(32, 32)))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(count));

    private static byte[] Overwrite(byte[] file, int at, byte[] noise)
    {
        var changed = (byte[])file.Clone();
        noise.AsSpan(0, Math.Min(noise.Length, file.Length - at)).CopyTo(changed.AsSpan(at));
        return changed;
    }

    private static bool OnlyFaults(in ImageInput image, InputSpec spec)
    {
        try
        {
            TestImages.Rgb(image, spec, Limits);
            return true;
        }
        catch (Fault fault)
        {
            return fault is { Kind: FaultKind.InvalidArgument, Field.Length: > 0, Message.Length: > 0 } && !fault.Message.Contains('\n');
        }
    }
}
