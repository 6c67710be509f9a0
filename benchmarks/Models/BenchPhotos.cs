using Embeddings.Benchmarks.Measuring;
using Embeddings.Core.Imaging;
using Embeddings.Testing;
using NetVips;

namespace Embeddings.Benchmarks.Models;

/// <summary>JPEG files of photos with faces, made from the real photos next to the checkout.</summary>
internal static class BenchPhotos
{
    private const int Columns = 6;
    private const int Rows = 5;

    /// <summary>Each photo at 640x480, with a gray border: one face.</summary>
    public static IReadOnlyList<byte[]> Single()
    {
        Start();
        return [.. Files().Select(file => Encode(Fit(file, 640, 480)))];
    }

    /// <summary>All photos as one of 4000x3000, in rows and columns: 29 faces.</summary>
    public static IReadOnlyList<byte[]> Group()
    {
        Start();
        var cells = Files().Select(file => Fit(file, 4000 / Columns, 3000 / Rows)).ToArray();
        var joined = Image.Arrayjoin(cells, across: Columns);
        return [Encode(joined.Gravity(Enums.CompassDirection.Centre, 4000, 3000, Enums.Extend.Background, [128, 128, 128]))];
    }

    private static IEnumerable<string> Files() =>
        Directory.GetFiles(Material.Path("faces"), "*.jpg").Order(StringComparer.Ordinal);

    private static void Start()
    {
        Vips.EnsureStarted();
        if (Material.Missing is { } reason)
        {
            throw new BenchException($"photos with faces are needed: {reason}");
        }
    }

    private static Image Fit(string file, int width, int height) =>
        Image.ThumbnailBuffer(File.ReadAllBytes(file), width, height: height, size: Enums.Size.Both)
            .Colourspace(Enums.Interpretation.Srgb)
            .Gravity(Enums.CompassDirection.Centre, width, height, Enums.Extend.Background, [128, 128, 128]);

    private static byte[] Encode(Image image) => image.JpegsaveBuffer(q: 85);
}
