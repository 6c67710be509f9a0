using System.Text.Json;
using Embeddings.Core.Imaging;
using Embeddings.Core.Models;
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

    // Pillow decodes JPEG with the same library; its resize is that of PillowReference, and torchvision's is Pillow's.
    [MaterialFact]
    public void Full_decoding_is_that_of_Pillow_and_torchvision()
    {
        foreach (var (name, preset) in ScaledDecodeTests.Presets)
        {
            var spec = preset with { Decode = DecodeMode.Full };
            var differences = new List<double>();
            foreach (var path in Photographs())
            {
                using var file = NetVips.Image.NewFromBuffer(File.ReadAllBytes(path));
                using var image = file.Autorot();
                if (image.Bands != 3 || image.Format != NetVips.Enums.BandFormat.Uchar || image.Contains("icc-profile-data"))
                {
                    continue;
                }
                var at = Placement.Of(image.Width, image.Height, spec);
                var resized = PillowReference.Resize(
                    image.WriteToMemory<byte>(), image.Width, image.Height, 3, at.Width, at.Height, spec.Interpolation);
                byte[] expected =
                [
                    .. from y in Enumerable.Range(-at.Top, spec.Height)
                       from i in Enumerable.Range(-at.Left * 3, spec.Width * 3)
                       select resized[(y * at.Width * 3) + i],
                ];
                differences.Add(TestImages.MeanDifference(expected, TestImages.Rgb(TestImages.File(File.ReadAllBytes(path)), spec)));
            }
            TestContext.Current.SendDiagnosticMessage(
                "{0}: {1} images, mean difference {2:0.000}, largest {3:0.000}", name, differences.Count, differences.Average(), differences.Max());
            Assert.InRange(differences.Count, 80, int.MaxValue);
            Assert.InRange(differences.Average(), 0, 0.04);
        }

        static IEnumerable<string> Photographs() =>
            from folder in (string[])[Material.Path("images", "azure-samples"), Material.Path("images", "scikit-image"), Material.Path("images", "exif-orientation"), Material.Path("faces")]
            from path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            where Path.GetExtension(path) is ".jpg" or ".jpeg" or ".png" && Path.GetFileName(path) != "truncated.jpg"
            select path;
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
