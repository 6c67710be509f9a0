using Embeddings.Primitives;
using Embeddings.Tooling.Photos;
using Embeddings.V1;
using SkiaSharp;

namespace Embeddings.Tooling.Tests.Photos;

public sealed class FaceThumbnailsTests
{
    private static readonly SKColor Red = new(200, 30, 30);
    private static readonly SKColor Blue = new(30, 30, 200);

    [Theory]
    [InlineData(400, 300, ".png")]
    [InlineData(4000, 3000, ".jpg[Q=92]")]
    public void A_thumbnail_shows_the_box_with_a_margin_at_any_size_of_the_photo(int width, int height, string suffix)
    {
        // A blue square on red: the box of the face.
        var (left, top, side) = (width / 4, height / 3, width / 5);
        var photo = Photo(width, height, SKRectI.Create(left, top, side, side), suffix);
        var jpeg = Assert.Single(FaceThumbnails.Cut(photo, [Box(left, top, side, side)]));
        using var thumbnail = SKBitmap.Decode(jpeg);
        Assert.Equal((FaceThumbnails.Side, FaceThumbnails.Side), (thumbnail.Width, thumbnail.Height));
        // A quarter of the side around the square is a sixth of the thumbnail.
        var edge = FaceThumbnails.Side / 6;
        AssertNear(Blue, thumbnail.GetPixel(56, 56));
        AssertNear(Blue, thumbnail.GetPixel(edge + 4, edge + 4));
        AssertNear(Blue, thumbnail.GetPixel(111 - edge - 4, 111 - edge - 4));
        AssertNear(Red, thumbnail.GetPixel(edge - 5, 56));
        AssertNear(Red, thumbnail.GetPixel(56, 111 - edge + 5));
    }

    [Theory]
    [InlineData(90)]
    [InlineData(180)]
    [InlineData(270)]
    public void The_box_of_a_turned_photo_refers_to_the_turned_pixels(int rotation)
    {
        // A square in the top left corner of the file, which the rotation moves.
        var photo = Photo(400, 300, SKRectI.Create(40, 30, 60, 60), ".jpg[Q=92]");
        var box = rotation switch
        {
            90 => Box(300 - 30 - 60, 40, 60, 60),
            180 => Box(400 - 40 - 60, 300 - 30 - 60, 60, 60),
            _ => Box(30, 400 - 40 - 60, 60, 60),
        };
        using var thumbnail = SKBitmap.Decode(FaceThumbnails.Cut(photo, [box], rotation)[0]);
        AssertNear(Blue, thumbnail.GetPixel(26, 26));
        AssertNear(Blue, thumbnail.GetPixel(85, 85));
        AssertNear(Red, thumbnail.GetPixel(10, 56));
    }

    [Fact]
    public void A_box_that_extends_beyond_the_photo_is_filled_with_gray_and_one_outside_has_no_thumbnail()
    {
        var photo = Photo(200, 200, SKRectI.Create(0, 0, 200, 200), ".png");
        var cut = FaceThumbnails.Cut(
            photo, [Box(-50, 50, 100, 100), Box(500, 500, 50, 50), Box(10, 10, 0, 0), Box(float.NaN, 0, 10, 10), Box(0, 0, float.PositiveInfinity, 10)]);
        using var thumbnail = SKBitmap.Decode(cut[0]);
        AssertNear(new SKColor(238, 238, 238), thumbnail.GetPixel(10, 56));
        AssertNear(Blue, thumbnail.GetPixel(100, 56));
        Assert.All(cut.Skip(1), Assert.Null);
    }

    [Fact]
    public async Task Files_that_are_missing_empty_or_damaged_have_their_reason()
    {
        using var folder = new TempFolder();
        var box = new[] { Box(0, 0, 10, 10) };
        var missing = await Assert.ThrowsAsync<ItemFault>(() => FaceThumbnails.CutAsync(folder.File("no.jpg"), box, 0, default));
        Assert.Equal(ItemFault.FileNotFound, missing.Error.Reason);
        await Assert.ThrowsAsync<ItemFault>(() => FaceThumbnails.CutAsync(folder.Write("empty.jpg", ""), box, 0, default));
        await Assert.ThrowsAsync<ItemFault>(() => FaceThumbnails.CutAsync(folder.Path, box, 0, default));
        var cut = TestImages.Jpeg(1)[..500];
        await Assert.ThrowsAsync<Fault>(() => FaceThumbnails.CutAsync(folder.Write("cut.jpg", cut), box, 0, default));
    }

    private static byte[] Photo(int width, int height, SKRectI square, string suffix)
    {
        var pixels = new byte[width * height * 3];
        for (var i = 0; i < width * height; i++)
        {
            var color = square.Contains(i % width, i / width) ? Blue : Red;
            (pixels[3 * i], pixels[(3 * i) + 1], pixels[(3 * i) + 2]) = (color.Red, color.Green, color.Blue);
        }
        return TestImages.Encode(pixels, width, height, 3, suffix);
    }

    private static void AssertNear(SKColor expected, SKColor actual)
    {
        int[] differences = [expected.Red - actual.Red, expected.Green - actual.Green, expected.Blue - actual.Blue];
        Assert.True(differences.Max(Math.Abs) <= 25, $"{expected} and {actual}");
    }

    private static BoundingBox Box(float x, float y, float width, float height) => new() { X = x, Y = y, Width = width, Height = height };
}
