using Embeddings.Tooling.Charts;
using Embeddings.Tooling.Photos;
using Embeddings.V1;
using SkiaSharp;

namespace Embeddings.Tooling.Tests.Photos;

public sealed class PhotoDrawingTests
{
    private static readonly byte[] Gray = TestImages.Encode([.. Enumerable.Repeat((byte)128, 300 * 200 * 3)], 300, 200, 3, ".png");

    [Theory]
    [InlineData(".jpg", SKEncodedImageFormat.Jpeg)]
    [InlineData(".JPEG", SKEncodedImageFormat.Jpeg)]
    [InlineData(".png", SKEncodedImageFormat.Png)]
    [InlineData(".webp", SKEncodedImageFormat.Webp)]
    public void The_file_has_the_format_of_its_extension(string extension, SKEncodedImageFormat format)
    {
        using var codec = SKCodec.Create(new MemoryStream(PhotoDrawing.Draw(Gray, Info(300, 200), [], extension)));
        Assert.Equal((format, 300, 200), (codec.EncodedFormat, codec.Info.Width, codec.Info.Height));
    }

    [Fact]
    public void Boxes_and_landmarks_are_where_the_coordinates_say()
    {
        using var drawn = Draw(
            new DrawnFace(Box(50, 60, 100, 80), TestImages.Landmarks(0.5f, 80, 80), "", IsLeftOut: false),
            new DrawnFace(Box(200, 20, 60, 60), null, "", IsLeftOut: true));
        Assert.True(IsGreen(drawn.GetPixel(50, 100)));
        Assert.True(IsGreen(drawn.GetPixel(100, 139)) || IsGreen(drawn.GetPixel(100, 140)));
        Assert.Equal(new SKColor(128, 128, 128), drawn.GetPixel(60, 70));
        // The nose of the template.
        var nose = drawn.GetPixel(108, 116);
        Assert.True(nose.Red > 180 && nose.Green > 150 && nose.Blue < 100, $"{nose}");
        var edge = Enumerable.Range(20, 60).Select(y => drawn.GetPixel(200, y)).ToList();
        Assert.Contains(edge, color => color.Red > 140 && color.Red == color.Blue);
        Assert.Contains(edge, color => color.Red == 128);
    }

    [Fact]
    public void A_label_is_written_if_the_machine_has_fonts()
    {
        using var drawn = Draw(new DrawnFace(Box(50, 60, 100, 80), null, "Zoë Ωμέγα \u202e\n<b>", IsLeftOut: false));
        var above = Enumerable.Range(47, 12).SelectMany(y => Enumerable.Range(52, 60).Select(x => drawn.GetPixel(x, y))).ToList();
        Assert.Equal(Chart.HasFonts, above.Exists(IsGreen));
        Assert.Equal(Chart.HasFonts, above.Exists(color => color is { Red: > 200, Blue: > 200 }));
    }

    [Fact]
    public void Coordinates_that_no_photo_has_draw_nothing_and_do_not_fail()
    {
        var far = new[] { float.NaN, float.PositiveInfinity, -1e30f, 1e30f }
            .Select(value => new DrawnFace(Box(value, value, value, value), TestImages.Landmarks(value), "name", IsLeftOut: false));
        using var drawn = Draw([.. far]);
        Assert.Equal((300, 200), (drawn.Width, drawn.Height));
    }

    [Fact]
    public void The_rotation_of_the_server_is_applied()
    {
        using var drawn = SKBitmap.Decode(PhotoDrawing.Draw(
            Gray, Info(200, 300, 90), [new DrawnFace(Box(20, 200, 50, 50), null, "", IsLeftOut: false)], ".png"));
        Assert.Equal((200, 300), (drawn.Width, drawn.Height));
        Assert.True(IsGreen(drawn.GetPixel(20, 225)));
    }

    [Fact]
    public void A_photo_of_another_size_is_an_error()
    {
        var error = Assert.Throws<ToolException>(() => PhotoDrawing.Draw(Gray, Info(200, 300), [], ".png"));
        Assert.Equal("The server says that the photo has 200x300 pixels; it has 300x200.", error.Message);
    }

    private static SKBitmap Draw(params DrawnFace[] faces) => SKBitmap.Decode(PhotoDrawing.Draw(Gray, Info(300, 200), faces, ".png"));

    private static PhotoInfo Info(int width, int height, int rotation = 0) => new() { Width = width, Height = height, Rotation = rotation };

    private static BoundingBox Box(float x, float y, float width, float height) => new() { X = x, Y = y, Width = width, Height = height };

    private static bool IsGreen(SKColor color) => color.Green > color.Red + 40 && color.Green > color.Blue + 40;
}
