using Embeddings.Core.Imaging;
using Embeddings.Core.Memory;
using Embeddings.Primitives;

namespace Embeddings.Core.Tests.Imaging;

/// <summary>The cost of decoding is known from the header.</summary>
public sealed class DecodeCostTests
{
    private const int Side = 1000;
    private const int Pixels = Side * Side;

    private static readonly FairGate Gate = new(2, 1 << 30);

    [Theory]
    [InlineData(".jpg", 0)]
    [InlineData(".jpg[interlace]", 3)]
    [InlineData(".png", 0)]
    [InlineData(".png[interlace]", 3)]
    [InlineData(".webp", 4)]
    [InlineData(".webp[lossless]", 4)]
    [InlineData(".gif", 4)]
    [InlineData(".tif", 3)]
    [InlineData(".tif[tile]", 3)]
    [InlineData(".avif", 12)]
    public void Formats_that_are_not_decoded_row_by_row_are_charged_for_all_pixels(string suffix, int leastPerPixel)
    {
        var file = TestImages.Encode(TestImages.Smooth(Side, Side), Side, Side, 3, suffix);
        using var image = EncodedImage.Open(file, new());
        Assert.Equal(leastPerPixel > 0, image.IsBuffered);
        var bytes = Preprocessor.Cost(image, TestImages.File(file), TestImages.Spec(112, 112), Gate).Bytes;
        Assert.InRange(bytes, leastPerPixel * Pixels, (leastPerPixel + 10) * Pixels);
        if (leastPerPixel == 0)
        {
            Assert.InRange(bytes, 1, 2 * Pixels);
        }
    }

    [Theory]
    [InlineData(".webp[lossless]", "A WebP image")]
    [InlineData(".gif", "A GIF image")]
    [InlineData(".tif", "A TIFF image")]
    [InlineData(".avif", "An AVIF image")]
    [InlineData(".png[interlace]", "An interlaced PNG image")]
    [InlineData(".jpg[interlace]", "A progressive JPEG image")]
    public void They_have_a_lower_pixel_limit(string suffix, string kind)
    {
        var options = new ImagingOptions { MaxBufferedPixels = 5000 };
        var fault = Assert.Throws<Fault>(() => Open(suffix, 80, 80));
        Assert.Equal((Reasons.ImageTooLarge, "image.encoded"), (fault.Reason, fault.Field));
        Assert.Equal(
            $"{kind} must have at most 5,000 pixels; got 6,400 (80 x 80). Send it smaller, or as baseline JPEG.", fault.Message);
        Open(suffix, 50, 50);
        Open(".png", 80, 80);
        Open(".jpg", 80, 80);

        void Open(string format, int width, int height) =>
            EncodedImage.Open(TestImages.Encode(TestImages.Smooth(width, height), width, height, 3, format), options).Dispose();
    }

    [Fact]
    public void An_image_to_turn_or_align_is_charged_for_its_pixels()
    {
        var file = TestImages.Encode(TestImages.Smooth(Side, Side), Side, Side, 3, ".png");
        using var image = EncodedImage.Open(file, new());
        var spec = TestImages.Spec(112, 112);
        var plain = DecodeCost.Of(image, 1, isAligned: false, spec, Gate);
        var aligned = DecodeCost.Of(image, 1, isAligned: true, spec, Gate);
        Assert.InRange(aligned.Bytes - plain.Bytes, 2 * Pixels, 3 * Pixels);
    }

    [Fact]
    public void A_conversion_to_sRGB_is_work()
    {
        var file = TestImages.Encode(TestImages.Smooth(Side, Side), Side, Side, 3, ".jpg");
        using var plain = NetVips.Image.NewFromBuffer(file);
        using var tagged = plain.Mutate(image => image.Set(NetVips.GValue.BlobType, "icc-profile-data", NetVips.Image.ProfileLoad("p3")));
        Assert.Equal(Pixels, Work(file, 1));
        Assert.InRange(Work(tagged.WriteToBuffer(".jpg"), 1), 4 * Pixels, 25 * Pixels);
        Assert.InRange(Work(tagged.WriteToBuffer(".jpg"), 4), Pixels, 2 * Pixels);

        static long Work(byte[] file, int shrink)
        {
            using var image = EncodedImage.Open(file, new());
            return DecodeCost.Of(image, shrink, isAligned: false, TestImages.Spec(112, 112), Gate).Work;
        }
    }

    [Fact]
    public void A_canceled_decode_ends_between_two_strips()
    {
        var file = TestImages.Encode(TestImages.Smooth(600, 900), 600, 900, 3, ".png");
        using var cancellation = new CancellationTokenSource();
        using var image = EncodedImage.Open(file, new());
        using var rows = image.Decode(1, cancellation.Token);
        rows.Rows(0, 10);
        cancellation.Cancel();
        Assert.Throws<OperationCanceledException>(() => rows.ReadToEnd());
    }

    [Fact]
    public void A_canceled_decode_of_a_whole_image_ends()
    {
        var file = TestImages.Encode(TestImages.Smooth(2000, 2000), 2000, 2000, 3, ".jpg");
        using var tagged = NetVips.Image.NewFromBuffer(file);
        using var turned = tagged.Mutate(image => image.Set(NetVips.GValue.GIntType, "orientation", 6));
        using var cancellation = new CancellationTokenSource();
        using var opened = EncodedImage.Open(turned.WriteToBuffer(".jpg"), new());
        using var rows = opened.Decode(1, cancellation.Token);
        cancellation.Cancel();
        Assert.Throws<OperationCanceledException>(() => rows.ReadToEnd());
    }
}
