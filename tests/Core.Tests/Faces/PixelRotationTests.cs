using Embeddings.Core.Faces;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Faces;

public sealed class PixelRotationTests
{
    [Theory]
    [InlineData(1, 1, 3)]
    [InlineData(3, 2, 1)]
    [InlineData(33, 70, 3)]
    [InlineData(64, 31, 1)]
    [InlineData(1, 50, 3)]
    public void Pixels_go_where_a_clockwise_turn_puts_them(int width, int height, int channels)
    {
        var pixels = TestImages.Busy(width, height, channels);
        foreach (var degrees in (int[])[90, 180, 270])
        {
            var turned = new byte[pixels.Length];
            PixelRotation.Rotate(pixels, width, height, channels, degrees, turned);
            for (var y = 0; y < height; y++)
            {
                for (var x = 0; x < width; x++)
                {
                    var (toX, toY) = degrees switch
                    {
                        90 => (height - 1 - y, x),
                        180 => (width - 1 - x, height - 1 - y),
                        _ => (y, width - 1 - x),
                    };
                    var turnedWidth = degrees == 180 ? width : height;
                    Assert.Equal(
                        pixels.AsSpan(((y * width) + x) * channels, channels),
                        turned.AsSpan(((toY * turnedWidth) + toX) * channels, channels));
                }
            }
        }
    }

    [Fact]
    public void Other_angles_are_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => PixelRotation.Rotate(new byte[4], 2, 2, 1, 45, new byte[4]));
}
