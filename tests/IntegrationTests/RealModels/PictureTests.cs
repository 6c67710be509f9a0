using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;
using Embeddings.V1;
using Google.Protobuf;
using Files = Embeddings.Testing.Material;

namespace Embeddings.IntegrationTests.RealModels;

/// <summary>Real images with real models.</summary>
public sealed class PictureTests(MaterialServer server, ITestOutputHelper output) : IClassFixture<MaterialServer>
{
    private const int Rank1PercentOrMore = 95;

    [MaterialFact]
    public async Task The_nearest_image_has_the_same_class()
    {
        var files = Directory.GetFiles(Files.Path("images", "azure-samples", "CustomVision"), "*.jpg", SearchOption.AllDirectories)
            .Where(file => Class(file).ToLowerInvariant() != "test").Order(StringComparer.Ordinal).ToList();
        var vectors = await server.StreamAsync(files.Select(file => MaterialServer.Image(MaterialServer.Objects, file)));
        var right = Enumerable.Range(0, files.Count).Count(query =>
        {
            var nearest = Enumerable.Range(0, files.Count).Where(other => other != query).MaxBy(other => MaterialServer.Cosine(vectors[query], vectors[other]));
            return Class(files[nearest]) == Class(files[query]);
        });
        output.WriteLine($"rank-1: {right} of {files.Count} in {files.Select(Class).Distinct().Count()} classes");
        Assert.InRange(files.Count, 40, 200);
        Assert.InRange(100 * right / files.Count, Rank1PercentOrMore, 100);
    }

    [MaterialTheory]
    [InlineData("Landscape")]
    [InlineData("Portrait")]
    public async Task An_image_in_all_orientations_has_the_same_vector(string name)
    {
        var upright = File.ReadAllBytes(Files.Path("images", "exif-orientation", $"{name}_1.jpg"));
        var turnedAway = Enumerable.Range(1, 8).Select(tag => TurnedPicture.Untagged(upright, tag)).ToList();
        var pictures = turnedAway.Select((picture, i) => TurnedPicture.Tag(picture, i + 1));
        var vectors = await server.StreamAsync(pictures.Select((picture, i) => MaterialServer.Image(MaterialServer.Objects, $"{i}", picture)));
        var lowest = Lowest(vectors);
        // The same pixels without the tag, as a server that ignores it would decode them.
        var unread = await server.StreamAsync(turnedAway.Select((picture, i) => MaterialServer.Image(MaterialServer.Objects, $"{i}", picture)));
        var turned = unread.Skip(1).Max(vector => MaterialServer.Cosine(vector, vectors[0]));
        output.WriteLine($"{vectors.Count} pictures, lowest cosine {lowest:F5}; without their tags {turned:F5} or less");
        Assert.True(lowest > 0.99, $"{lowest:F5}");
        Assert.True(turned < 0.99, $"{turned:F5}");
    }

    [MaterialTheory]
    [InlineData("Landscape")]
    [InlineData("Portrait")]
    public async Task An_image_of_a_scene_in_all_orientations_has_a_similar_vector(string name)
    {
        var files = Directory.GetFiles(Files.Path("images", "exif-orientation"), $"{name}_*.jpg").Order(StringComparer.Ordinal).ToList();
        var vectors = await server.StreamAsync(files.Select(file => MaterialServer.Image(MaterialServer.Objects, file)));
        var lowest = Lowest(vectors);
        output.WriteLine($"{files.Count} pictures, lowest cosine {lowest:F5}");
        // Each has a different number painted in, which accounts for a few hundredths; a rotated image would score far lower.
        Assert.True(files.Count >= 8 && lowest > 0.92, $"{files.Count} pictures, lowest cosine {lowest:F5}");
    }

    [MaterialTheory]
    [InlineData("Landscape", 1800, 1200)]
    [InlineData("Portrait", 1200, 1800)]
    public async Task A_crop_by_landmarks_has_the_same_vector_in_all_orientations(string name, int width, int height)
    {
        // The corners, by landmarks of the upright image: outside of the painted numbers, the images are the same.
        const int Side = 400;
        (int X, int Y)[] corners = [(0, 0), (width - Side, 0), (0, height - Side), (width - Side, height - Side)];
        var files = Enumerable.Range(1, 8).Select(i => Files.Path("images", "exif-orientation", $"{name}_{i}.jpg")).ToList();
        var vectors = await server.StreamAsync(
            from corner in corners
            from file in files
            select Items.EmbedFace($"{file} {corner}", Part(file, corner.X, corner.Y, Side), MaterialServer.Faces));
        var perCorner = vectors.Chunk(files.Count).ToList();
        var lowest = perCorner.Min(Lowest);
        var others = Enumerable.Range(0, files.Count).SelectMany(i =>
            from a in perCorner
            from b in perCorner
            where a != b
            select MaterialServer.Cosine(a[i], b[i])).Max();
        output.WriteLine($"{files.Count} pictures, {corners.Length} corners: the same corner {lowest:F5} or more, another corner {others:F5} or less");
        Assert.True(lowest > 0.98, $"the same corner: {lowest:F5}");
        Assert.True(others < 0.8, $"another corner: {others:F5}");
    }

    [MaterialFact]
    public async Task A_model_with_a_non_square_input_gives_the_same_vector_alone_and_batched()
    {
        var files = Directory.GetFiles(Files.Path("faces"), "*.jpg").Order(StringComparer.Ordinal).Take(12).ToList();
        var batched = await server.StreamAsync(files.Select(file => MaterialServer.Image(MaterialServer.People, file)));
        foreach (var (file, vector) in files.Zip(batched))
        {
            var alone = Assert.Single(await server.StreamAsync([MaterialServer.Image(MaterialServer.People, file)]));
            Assert.Equal(512, alone.Length);
            Assert.InRange(Items.Distance(alone, vector), 0, 1e-5);
        }
    }

    [MaterialFact]
    public async Task A_pooled_inner_tensor_of_a_float16_model_is_served()
    {
        var files = Directory.GetFiles(Files.Path("images", "exif-orientation"), "Landscape_*.jpg").Order(StringComparer.Ordinal).ToList();
        var vectors = await server.StreamAsync(files.Select(file => MaterialServer.Image(MaterialServer.Squeeze, file)));
        Assert.All(vectors, vector => Assert.Equal(512, vector.Length));
        var lowest = vectors.Min(vector => MaterialServer.Cosine(vector, vectors[0]));
        var other = Assert.Single(await server.StreamAsync([MaterialServer.Image(MaterialServer.Squeeze, Directory.GetFiles(Files.Path("faces"))[0])]));
        output.WriteLine($"the same scene {lowest:F4} or more, another {MaterialServer.Cosine(other, vectors[0]):F4}");
        Assert.True(MaterialServer.Cosine(other, vectors[0]) < lowest);
    }

    private static FaceCrop Part(string file, int left, int top, int side)
    {
        Point At(double x, double y) => new() { X = (float)(left + (x * side / 112)), Y = (float)(top + (y * side / 112)) };
        return new()
        {
            Image = new() { Encoded = ByteString.CopyFrom(File.ReadAllBytes(file)) },
            // The ArcFace template itself, so that the square is cropped unchanged.
            Landmarks = new()
            {
                LeftEye = At(38.2946, 51.6963),
                RightEye = At(73.5318, 51.5014),
                Nose = At(56.0252, 71.7366),
                LeftMouthCorner = At(41.5493, 92.3655),
                RightMouthCorner = At(70.7299, 92.2041),
            },
        };
    }

    private static double Lowest(IReadOnlyList<float[]> vectors) =>
        vectors.SelectMany(left => vectors.Select(right => MaterialServer.Cosine(left, right))).Min();

    private static string Class(string file) => Path.GetFileName(Path.GetDirectoryName(file)!);
}
