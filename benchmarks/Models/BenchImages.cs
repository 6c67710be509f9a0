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

    /// <summary>JPEG files of 640x480.</summary>
    public static IReadOnlyList<byte[]> Jpegs(int count) => Jpegs(count, 640, 480);

    /// <summary>JPEG files of any size.</summary>
    public static IReadOnlyList<byte[]> Jpegs(int count, int width, int height) =>
        [.. Enumerable.Range(0, count).Select(i => Encode(width, height, i, ".jpg[Q=85]"))];

    /// <summary>JPEG files of 12 megapixels, 4000x3000, as phones take them: about 2 MB each.</summary>
    public static IReadOnlyList<byte[]> Phone(int count) => Jpegs(count, 4000, 3000);

    /// <summary>
    /// Files of 640x480, 1920x1080 and 4000x3000 as JPEG, PNG and WebP, as stream requests. The largest are not PNG files, which
    /// would exceed the limit of 16 MiB.
    /// </summary>
    public static IReadOnlyList<StreamEmbedRequest> Mixed()
    {
        (int Width, int Height, string Suffix, int Count)[] kinds =
        [
            (640, 480, ".jpg[Q=85]", 8), (640, 480, ".png", 4), (640, 480, ".webp", 4),
            (1920, 1080, ".jpg[Q=85]", 6), (1920, 1080, ".png", 2), (1920, 1080, ".webp", 2),
            (4000, 3000, ".jpg[Q=85]", 3), (4000, 3000, ".jpg[Q=85,interlace]", 1), (4000, 3000, ".webp", 1),
        ];
        var files = kinds.SelectMany(kind => Enumerable.Range(0, kind.Count).Select(i => Encode(kind.Width, kind.Height, i, kind.Suffix))).ToArray();
        new Random(1).Shuffle(files);
        return Requests(files);
    }

    /// <summary>Files as stream requests to a model, or to the default one.</summary>
    public static IReadOnlyList<StreamEmbedRequest> Requests(IReadOnlyList<byte[]> files, string model = "") =>
        [.. files.Select((file, i) => new StreamEmbedRequest { ItemId = $"image-{i}", Model = model, Image = TestImages.Encoded(file) })];

    /// <summary>Files as aligned faces.</summary>
    public static IReadOnlyList<StreamEmbedRequest> FaceRequests(IReadOnlyList<byte[]> files) =>
        [.. files.Select((file, i) => new StreamEmbedRequest { ItemId = $"face-{i}", Face = new() { Image = TestImages.Encoded(file), Aligned = true } })];

    private static byte[] Encode(int width, int height, int seed, string suffix) =>
        TestImages.Encode(TestImages.Scene(width, height, seed), width, height, 3, suffix);
}
