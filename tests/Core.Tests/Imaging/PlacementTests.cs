using Embeddings.Core.Imaging;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Imaging;

public sealed class PlacementTests
{
    // What torchvision's Resize(size) and CenterCrop((height, width)) give.
    [Theory]
    [InlineData(640, 480, 224, 224, 256, 341, 256, -58, -16)]
    [InlineData(480, 640, 224, 224, 256, 256, 341, -16, -58)]
    [InlineData(640, 480, 224, 224, 0, 298, 224, -37, 0)]
    [InlineData(500, 333, 224, 224, 0, 336, 224, -56, 0)]
    [InlineData(451, 448, 224, 224, 0, 225, 224, 0, 0)] // round(0.5) is 0 in Python
    [InlineData(454, 448, 224, 224, 0, 227, 224, -2, 0)] // and round(1.5) is 2
    [InlineData(100, 100, 128, 256, 0, 128, 128, 0, 64)] // lower than the crop: padded
    [InlineData(16384, 1, 224, 224, 0, 3670016, 224, -1834896, 0)]
    public void Center_crop_rounds_as_torchvision(int width, int height, int toWidth, int toHeight, int resizeTo, int w, int h, int left, int top)
    {
        var spec = TestImages.Spec(toWidth, toHeight, ResizeMode.CenterCrop) with { ResizeTo = resizeTo };
        Assert.Equal(new Placement(w, h, left, top), Placement.Of(width, height, spec));
    }

    [Theory]
    [InlineData(640, 480, 224, 168, 0, 28)]
    [InlineData(480, 640, 168, 224, 28, 0)]
    [InlineData(10, 10, 224, 224, 0, 0)]
    [InlineData(10000, 1, 224, 1, 0, 111)]
    public void Letterbox_keeps_the_aspect_ratio(int width, int height, int w, int h, int left, int top) =>
        Assert.Equal(new Placement(w, h, left, top), Placement.Of(width, height, TestImages.Spec(224, 224, ResizeMode.Letterbox)));

    [Fact]
    public void Stretch_fills_the_canvas() => Assert.Equal(new Placement(128, 256, 0, 0), Placement.Of(999, 5, TestImages.Spec(128, 256)));

    [Theory]
    [InlineData(640, 480, 224, 1)]
    [InlineData(1920, 1080, 224, 2)]
    [InlineData(896, 896, 224, 2)]
    [InlineData(895, 896, 224, 1)]
    [InlineData(8000, 6000, 112, 8)]
    [InlineData(60000, 60000, 16, 8)]
    public void Loading_leaves_twice_what_the_resize_needs(int width, int height, int side, int factor) =>
        Assert.Equal(factor, new Placement(side, side, 0, 0).ShrinkFactor(width, height));
}
