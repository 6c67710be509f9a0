using Embeddings.Testing;
using Embeddings.Tooling.Imaging;
using NetVips;

namespace Embeddings.Tooling.Tests.Imaging;

public sealed class JpegEncoderTests
{
    [Fact]
    public void What_is_encoded_decodes_to_nearly_the_same_pixels_in_the_same_order()
    {
        // Flat halves, red and blue: JPEG keeps them, and a wrong channel order or orientation would show.
        const int Width = 32, Height = 16;
        var rgb = new byte[Width * Height * 3];
        for (var i = 0; i < Width * Height; i++)
        {
            rgb[(i * 3) + (i % Width < Width / 2 ? 0 : 2)] = 200;
        }
        using var image = Image.NewFromBuffer(JpegEncoder.Encode(rgb, Width, Height, 95));
        Assert.Equal((Width, Height, 3), (image.Width, image.Height, image.Bands));
        var decoded = image.WriteToMemory<byte>();
        for (var i = 0; i < decoded.Length; i++)
        {
            // The pixels at the border of the halves share their colour with their neighbours (4:2:0).
            if (Math.Abs((i / 3 % Width) - (Width / 2)) > 2)
            {
                Assert.InRange(decoded[i], rgb[i] - 12, rgb[i] + 12);
            }
        }
    }

    [Fact]
    public void A_lower_quality_is_a_smaller_file()
    {
        var noise = new byte[64 * 64 * 3];
        new Random(1).NextBytes(noise);
        Assert.True(JpegEncoder.Encode(noise, 64, 64, 20).Length < JpegEncoder.Encode(noise, 64, 64, 90).Length);
    }

    [Theory]
    [InlineData(0, 1, 0)]
    [InlineData(2, 2, 11)]
    [InlineData(2, 2, 13)]
    public void Pixels_that_do_not_fit_the_size_are_refused(int width, int height, int bytes) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => JpegEncoder.Encode(new byte[bytes], width, height, 90));
}
