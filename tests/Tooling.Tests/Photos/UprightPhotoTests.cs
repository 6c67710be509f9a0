using Embeddings.Primitives;
using Embeddings.Tooling.Photos;
using SkiaSharp;

namespace Embeddings.Tooling.Tests.Photos;

public sealed class UprightPhotoTests
{
    [Fact]
    public void Colors_and_gray_keep_their_values()
    {
        var pixels = TestImages.Busy(5, 4);
        using var color = UprightPhoto.Decode(TestImages.Encode(pixels, 5, 4, 3, ".png"));
        Assert.Equal((5, 4), (color.Width, color.Height));
        Assert.Equal(new SKColor(pixels[27], pixels[28], pixels[29]), color.GetPixel(4, 1));

        var gray = TestImages.Busy(5, 4, 1);
        using var photo = UprightPhoto.Decode(TestImages.Encode(gray, 5, 4, 1, ".png"));
        Assert.Equal(new SKColor(gray[7], gray[7], gray[7]), photo.GetPixel(2, 1));
    }

    [Fact]
    public void A_photo_can_be_decoded_at_a_smaller_size_if_its_format_allows_it()
    {
        using var jpeg = UprightPhoto.Decode(TestImages.Jpeg(1, 320, 240), shrink: 4);
        Assert.Equal((80, 60), (jpeg.Width, jpeg.Height));
        using var png = UprightPhoto.Decode(TestImages.Png(1, 320, 240), shrink: 4);
        Assert.Equal((320, 240), (png.Width, png.Height));
    }

    [Theory]
    [InlineData(90, 3, 5)]
    [InlineData(180, 5, 3)]
    [InlineData(270, 3, 5)]
    public void A_turned_photo_has_its_pixels_in_their_new_places(int degrees, int width, int height)
    {
        var pixels = TestImages.Busy(5, 3);
        using var photo = UprightPhoto.Decode(TestImages.Encode(pixels, 5, 3, 3, ".png"));
        using var turned = UprightPhoto.Turn(photo, degrees);
        Assert.Equal((width, height), (turned.Width, turned.Height));
        for (var y = 0; y < 3; y++)
        {
            for (var x = 0; x < 5; x++)
            {
                var (toX, toY) = degrees switch
                {
                    90 => (2 - y, x),
                    180 => (4 - x, 2 - y),
                    _ => (y, 4 - x),
                };
                Assert.Equal(photo.GetPixel(x, y), turned.GetPixel(toX, toY));
            }
        }
        Assert.Same(photo, UprightPhoto.Turn(photo, 0));
    }

    [MaterialFact]
    public void All_eight_orientations_are_turned_upright()
    {
        var files = Directory.GetFiles(Material.Path("images", "exif-orientation"), "*.jpg", SearchOption.AllDirectories);
        Assert.True(files.Length >= 16);
        foreach (var group in files.GroupBy(file => Path.GetFileName(file).Split('_')[0]))
        {
            var sizes = group.Select(file =>
            {
                using var photo = UprightPhoto.Decode(File.ReadAllBytes(file));
                return (photo.Width, photo.Height);
            });
            Assert.Single(sizes.Distinct());
        }
    }

    [Theory]
    [InlineData("not an image")]
    [InlineData("")]
    public void What_is_no_image_is_a_fault(string content) =>
        Assert.Throws<Fault>(() => UprightPhoto.Decode(System.Text.Encoding.ASCII.GetBytes(content)));
}
