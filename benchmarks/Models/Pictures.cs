using Embeddings.Tooling.Imaging;
using Embeddings.V1;
using Google.Protobuf;
using V1Format = Embeddings.V1.PixelFormat;

namespace Embeddings.Benchmarks.Models;

/// <summary>Pictures made by code, the same ones every time.</summary>
internal static class Pictures
{
    /// <summary>Different pictures in a set: enough that no cache holds them all.</summary>
    private const int Count = 64;

    /// <summary>Raw crops of the model's size, as stream requests.</summary>
    public static IReadOnlyList<StreamEmbedRequest> Crops(BenchModel model) =>
        [.. Enumerable.Range(0, Count).Select(i => new StreamEmbedRequest { ItemId = $"crop-{i}", Face = new FaceCrop { Image = Crop(model, i) } })];

    /// <summary>One raw crop.</summary>
    public static Image Crop(BenchModel model, int seed)
    {
        var (width, height) = (model.Manifest.Input.Width, model.Manifest.Input.Height);
        return new Image
        {
            Pixels = new PixelBuffer { Width = width, Height = height, Format = V1Format.Rgb8, Data = ByteString.CopyFrom(Scene(width, height, seed)) },
        };
    }

    /// <summary>JPEG files of 640x480, as stream requests.</summary>
    public static IReadOnlyList<StreamEmbedRequest> Jpegs(int count) =>
    [
        .. Enumerable.Range(0, count).Select(i => new StreamEmbedRequest
        {
            ItemId = $"jpeg-{i}",
            Image = new Image { Encoded = ByteString.CopyFrom(JpegEncoder.Encode(Scene(640, 480, i), 640, 480, 85)) },
        }),
    ];

    /// <summary>Soft shapes under grain: its JPEG is about as long as a photograph's, and takes as long to decode.</summary>
    public static byte[] Scene(int width, int height, int seed)
    {
        var random = new Random(seed);
        var waves = new double[9];
        for (var i = 0; i < waves.Length; i++)
        {
            waves[i] = random.NextDouble();
        }
        var pixels = new byte[width * height * 3];
        for (var i = 0; i < pixels.Length; i++)
        {
            var (channel, x, y) = (i % 3, i / 3 % width / (double)width, i / 3 / width / (double)height);
            var wave = Math.Sin((x * 20 * waves[channel]) + (y * 30 * waves[3 + channel]) + (6 * waves[6 + channel]));
            pixels[i] = (byte)(128 + (90 * wave) + random.Next(-12, 13));
        }
        return pixels;
    }
}
