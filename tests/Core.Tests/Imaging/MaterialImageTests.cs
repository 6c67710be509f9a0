using System.Text.Json;
using Embeddings.Core.Imaging;
using Embeddings.Primitives;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Imaging;

/// <summary>Photographs and broken files that others made.</summary>
public sealed class MaterialImageTests
{
    [MaterialFact]
    public void Faces_are_aligned_as_the_reference_crops_are()
    {
        // The crops were made by OpenCV's warpAffine from the same points; plain bilinear sampling comes within 0.2 grey levels of each.
        var photos = File.ReadLines(Material.Path("faces.csv")).Skip(1).Select(line => line.Split(',')[0..3]).Zip(File.ReadLines(Material.Path("faces.csv")).Skip(1));
        foreach (var (columns, line) in photos)
        {
            var start = line.IndexOf("\"[[", StringComparison.Ordinal) + 1;
            var points = JsonSerializer.Deserialize<float[][]>(line[start..(line.IndexOf("]]", StringComparison.Ordinal) + 2)])!;
            var face = new Landmarks(At(points[0]), At(points[1]), At(points[2]), At(points[3]), At(points[4]));
            var aligned = TestImages.Rgb(TestImages.File(File.ReadAllBytes(Material.Path(columns[2])), face), TestImages.Spec(112, 112));
            var crop = TestImages.Decode(File.ReadAllBytes(Material.Path(columns[0])), 112, 112);
            Assert.InRange(TestImages.MeanDifference(crop, aligned), 0, 0.5);
        }
    }

    [MaterialTheory]
    [InlineData("Landscape")]
    [InlineData("Portrait")]
    public void All_eight_orientations_give_one_image(string name)
    {
        byte[] Small(int i) => TestImages.Rgb(TestImages.File(File.ReadAllBytes(Material.Path("images", "exif-orientation", $"{name}_{i}.jpg"))), TestImages.Spec(224, 224));
        var first = Small(1);
        for (var i = 2; i <= 8; i++)
        {
            Assert.InRange(TestImages.MeanDifference(first, Small(i)), 0, 3);
        }
    }

    [MaterialFact]
    public void Broken_files_are_refused_and_good_ones_read()
    {
        var read = 0;
        foreach (var path in Directory.EnumerateFiles(Material.Path("images", "pillow")))
        {
            try
            {
                TestImages.Rgb(TestImages.File(File.ReadAllBytes(path)), TestImages.Spec(64, 64));
                read++;
            }
            catch (Fault fault)
            {
                Assert.Equal(FaultKind.InvalidArgument, fault.Kind);
                Assert.DoesNotContain('\n', fault.Message);
            }
        }
        Assert.InRange(read, 150, 226);
    }

    private static System.Numerics.Vector2 At(float[] xy) => new(xy[0], xy[1]);
}
