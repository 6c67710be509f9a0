using Embeddings.Core.Imaging;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Imaging;

public sealed class ResamplerTests
{
    public static TheoryData<int, int, int, int> Sizes => new()
    {
        { 640, 480, 224, 224 }, { 301, 203, 112, 112 }, { 200, 300, 128, 256 }, { 517, 333, 61, 255 }, { 9, 7, 13, 10 }, { 50, 60, 224, 224 },
        { 1, 1, 16, 16 }, { 1, 400, 32, 32 }, { 400, 1, 32, 32 }, { 224, 224, 224, 224 }, { 33, 17, 1, 1 }, { 3, 3, 2, 5 }, { 2000, 20, 30, 40 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Is_Pillow_within_a_grey_level(int width, int height, int toWidth, int toHeight)
    {
        foreach (var kind in new[] { Interpolation.Bilinear, Interpolation.Bicubic })
        {
            foreach (var channels in new[] { 1, 3 })
            {
                foreach (var pixels in new[] { TestImages.Busy(width, height, channels), TestImages.Smooth(width, height, channels) })
                {
                    var expected = PillowReference.Resize(pixels, width, height, channels, toWidth, toHeight, kind);
                    Assert.InRange(TestImages.MeanDifference(expected, Resize(pixels, width, height, channels, toWidth, toHeight, kind)), 0, 1);
                }
            }
        }
    }

    // The red channel of Busy(9, 7) as Pillow 9.4 resizes it.
    [Theory]
    [InlineData(4, 3, 1, new byte[] { 89, 145, 141, 102, 161, 137, 117, 125, 127, 142, 157, 104 })]
    [InlineData(4, 3, 2, new byte[] { 81, 148, 146, 98, 169, 135, 114, 125, 124, 144, 162, 101 })]
    [InlineData(5, 11, 1, new byte[]
    {
        21, 79, 148, 169, 37, 51, 116, 168, 131, 93, 92, 161, 183, 92, 151, 134, 162, 123, 140, 89, 169, 147, 114, 130, 107, 199, 118, 141, 76, 185, 170, 140,
        120, 124, 123, 137, 153, 120, 151, 86, 98, 155, 147, 148, 83, 118, 130, 174, 145, 99, 139, 109, 194, 143, 113,
    })]
    [InlineData(5, 11, 2, new byte[]
    {
        12, 74, 150, 186, 15, 39, 118, 175, 131, 89, 86, 173, 190, 78, 164, 135, 170, 113, 153, 73, 179, 146, 101, 139, 97, 206, 117, 139, 67, 195, 176, 138,
        119, 120, 126, 132, 156, 116, 160, 72, 90, 157, 147, 158, 76, 116, 128, 180, 149, 97, 145, 106, 200, 142, 113,
    })]
    public void Is_what_Pillow_made(int toWidth, int toHeight, int kind, byte[] expected)
    {
        var resized = Resize(TestImages.Busy(9, 7), 9, 7, 3, toWidth, toHeight, (Interpolation)kind);
        byte[] red = [.. resized.Where((_, i) => i % 3 == 0)];
        Assert.Equal(expected.Length, red.Length);
        for (var i = 0; i < red.Length; i++)
        {
            Assert.InRange(red[i], expected[i] - 1, expected[i] + 1);
        }
    }

    [Fact]
    public void A_crop_is_a_part_of_the_whole()
    {
        var pixels = TestImages.Busy(90, 70);
        var whole = Resize(pixels, 90, 70, 3, 60, 50, Interpolation.Bicubic);
        var crop = new byte[20 * 30 * 3];
        var view = new PixelView(pixels, 90, 70, 3);
        Resampler.Draw(view, SourceBox.Whole(90, 70), new Placement(60, 50, -25, -11), Interpolation.Bicubic, crop, 20, 30);
        for (var y = 0; y < 30; y++)
        {
            Assert.Equal(whole.AsSpan(((y + 11) * 60 + 25) * 3, 60).ToArray(), crop.AsSpan(y * 60, 60).ToArray());
        }
    }

    [Fact]
    public void The_canvas_around_the_image_is_black()
    {
        var canvas = new byte[12 * 10 * 3];
        Array.Fill(canvas, (byte)77);
        var white = new byte[5 * 5 * 3];
        Array.Fill(white, (byte)255);
        var view = new PixelView(white, 5, 5, 3);
        Resampler.Draw(view, SourceBox.Whole(5, 5), new Placement(6, 4, 3, 2), Interpolation.Bicubic, canvas, 12, 10);
        for (var i = 0; i < canvas.Length; i++)
        {
            var (x, y) = (i / 3 % 12, i / 36);
            Assert.Equal(x is >= 3 and < 9 && y is >= 2 and < 6 ? 255 : 0, canvas[i]);
        }
    }

    private static byte[] Resize(byte[] pixels, int width, int height, int channels, int toWidth, int toHeight, Interpolation kind)
    {
        var result = new byte[toWidth * toHeight * channels];
        var view = new PixelView(pixels, width, height, channels);
        Resampler.Draw(view, SourceBox.Whole(width, height), new Placement(toWidth, toHeight, 0, 0), kind, result, toWidth, toHeight);
        return result;
    }
}
