using Embeddings.Testing;
using Embeddings.V1;

namespace Embeddings.Benchmarks.Models;

/// <summary>Requests with generated images, the same in every run.</summary>
internal static class BenchImages
{
    // Enough that no cache holds all of them.
    private const int Count = 64;

    /// <summary>Raw crops of the model's size, as stream requests.</summary>
    public static IReadOnlyList<StreamEmbedRequest> Crops(BenchModel model) =>
        [.. Enumerable.Range(0, Count).Select(i => new StreamEmbedRequest { ItemId = $"crop-{i}", Face = Crop(model, i) })];

    /// <summary>One raw crop.</summary>
    public static FaceCrop Crop(BenchModel model, int seed)
    {
        var (width, height) = (model.Manifest.Input.Width, model.Manifest.Input.Height);
        return new() { Image = TestImages.Pixels(PixelFormat.Rgb8, width, height, TestImages.Scene(width, height, seed)) };
    }

    /// <summary>JPEG files of 640x480, as stream requests.</summary>
    public static IReadOnlyList<StreamEmbedRequest> Jpegs(int count) => Jpegs(count, 640, 480);

    /// <summary>JPEG files of another size.</summary>
    public static IReadOnlyList<StreamEmbedRequest> Jpegs(int count, int width, int height) =>
        [.. Enumerable.Range(0, count).Select(i => new StreamEmbedRequest { ItemId = $"jpeg-{i}", Image = Jpeg(i, width, height) })];

    /// <summary>The same files as faces.</summary>
    public static IReadOnlyList<StreamEmbedRequest> FaceJpegs(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new StreamEmbedRequest { ItemId = $"jpeg-{i}", Face = new() { Image = Jpeg(i), Aligned = true } })];

    private static Image Jpeg(int seed, int width = 640, int height = 480) =>
        TestImages.Encoded(TestImages.Encode(TestImages.Scene(width, height, seed), width, height, 3, ".jpg[Q=85]"));
}
