using System.Numerics;
using Embeddings.Core.Imaging;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Imaging;

public sealed class DecodedRowsTests
{
    [Theory]
    [InlineData(40, 500, 1)]
    [InlineData(900, 300, 7)]
    [InlineData(30_000, 9, 2)]
    public void Windows_are_parts_of_the_image(int width, int height, int step)
    {
        foreach (var channels in new[] { 1, 3 })
        {
            var pixels = TestImages.Busy(width, height, channels);
            var stride = width * channels;
            var options = new ImagingOptions { MaxSide = 30_000 };
            using var file = EncodedImage.Open(TestImages.Encode(pixels, width, height, channels, ".png"), options);
            using var rows = file.Decode(1);
            Assert.Equal((width, height, channels), (rows.Width, rows.Height, rows.Channels));

            // Overlapping ones, some longer than a strip, and rows that are passed over.
            for (var first = 0; first < height; first += step * (first % 3 + 1))
            {
                var count = Math.Min(1 + first % 80, height - first);
                Assert.True(rows.Rows(first, count).SequenceEqual(pixels.AsSpan(first * stride, count * stride)), $"{count} rows from {first}");
            }
        }
    }

    [Fact]
    public void Rows_that_have_gone_by_are_gone()
    {
        using var file = EncodedImage.Open(TestImages.Encode(TestImages.Busy(900, 300), 900, 300, 3, ".png"), new ImagingOptions());
        using var rows = file.Decode(1);
        rows.Rows(200, 1);
        Assert.Throws<ArgumentOutOfRangeException>(() => { rows.Rows(10, 1); });
    }

    [Fact]
    public void Rows_outlive_the_file()
    {
        var pixels = TestImages.Busy(90, 700);
        DecodedRows rows;
        using (var file = EncodedImage.Open(TestImages.Encode(pixels, 90, 700, 3, ".png"), new ImagingOptions()))
        {
            rows = file.Decode(1);
        }
        using (rows)
        {
            Assert.True(rows.Rows(0, 700).SequenceEqual(pixels));
        }
    }

    [Theory]
    [InlineData(".png")]
    [InlineData(".jpg[Q=90]")]
    [InlineData(".webp[lossless]")]
    public void Damage_below_all_that_is_wanted_is_a_fault(string suffix)
    {
        // A wide crop of a tall picture, and a face at its top.
        var file = TestImages.Encode(TestImages.Busy(120, 900), 120, 900, 3, suffix);
        var face = new Landmarks(new(40, 50), new(70, 50), new(56, 70), new(42, 90), new(70, 91));
        foreach (var (landmarks, resize) in new[] { ((Landmarks?)null, ResizeMode.CenterCrop), (face, ResizeMode.Stretch) })
        {
            var spec = TestImages.Spec(112, 112, resize);
            Assert.Equal(112 * 112 * 3, TestImages.Rgb(TestImages.File(file, landmarks), spec).Length);
            var fault = Assert.Throws<Fault>(() => TestImages.Rgb(TestImages.File(file[..(file.Length * 19 / 20)], landmarks), spec));
            Assert.Equal(Reasons.ImageMalformed, fault.Reason);
        }
    }

    [Theory]
    [InlineData(1, 20)]
    [InlineData(3, 300)]
    [InlineData(9, 120)]
    public void A_face_is_the_same_at_every_place(float scale, float turn)
    {
        var (sin, cos) = MathF.SinCos(turn * MathF.PI / 180);
        var pixels = TestImages.Smooth(1300, 1100);
        var file = TestImages.Encode(pixels, 1300, 1100, 3, ".png");
        foreach (var middle in new Vector2[] { new(650, 550), new(60, 40), new(1250, 1060), new(40, 1070) })
        {
            Vector2 At(float x, float y) =>
                Vector2.Clamp(middle + new Vector2(x * cos - y * sin, x * sin + y * cos) * scale, Vector2.Zero, new(1299, 1099));
            var face = new Landmarks(At(-18, -20), At(17, -20), At(0, 0), At(-14, 20), At(15, 20));
            Assert.Equal(
                TestImages.Rgb(new ImageInput(pixels, PixelFormat.Rgb8, 1300, 1100, face), TestImages.Spec(112, 112)),
                TestImages.Rgb(TestImages.File(file, face), TestImages.Spec(112, 112)));
        }
    }
}
