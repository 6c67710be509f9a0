using Embeddings.EndToEnd.Tests.Infrastructure;
using Embeddings.Tests;
using Xunit.Abstractions;
using Files = Embeddings.Tests.Material;

namespace Embeddings.EndToEnd.Tests.RealModels;

/// <summary>Real photographs through real models.</summary>
public sealed class PictureTests(MaterialServer server, ITestOutputHelper output) : IClassFixture<MaterialServer>
{
    private const int Rank1PercentOrMore = 95;

    [MaterialFact]
    public async Task The_nearest_photograph_is_of_the_same_class()
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
    public async Task A_picture_in_all_orientations_is_one_scene(string name)
    {
        var files = Directory.GetFiles(Files.Path("images", "exif-orientation"), $"{name}_*.jpg").Order(StringComparer.Ordinal).ToList();
        var vectors = await server.StreamAsync(files.Select(file => MaterialServer.Image(MaterialServer.Objects, file)));
        var lowest = vectors.SelectMany(left => vectors.Select(right => MaterialServer.Cosine(left, right))).Min();
        output.WriteLine($"{files.Count} pictures, lowest cosine {lowest:F5}");
        // Each has its own number painted in, which alone is worth a few hundredths; a picture that lies on its side would be far below.
        Assert.True(files.Count >= 8 && lowest > 0.92, $"{files.Count} pictures, lowest cosine {lowest:F5}");
    }

    [MaterialFact]
    public async Task An_input_that_is_not_square_gives_the_same_alone_and_batched()
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
    public async Task A_tensor_inside_a_float16_model_is_served_pooled()
    {
        var files = Directory.GetFiles(Files.Path("images", "exif-orientation"), "Landscape_*.jpg").Order(StringComparer.Ordinal).ToList();
        var vectors = await server.StreamAsync(files.Select(file => MaterialServer.Image(MaterialServer.Squeeze, file)));
        Assert.All(vectors, vector => Assert.Equal(512, vector.Length));
        var lowest = vectors.Min(vector => MaterialServer.Cosine(vector, vectors[0]));
        var other = Assert.Single(await server.StreamAsync([MaterialServer.Image(MaterialServer.Squeeze, Directory.GetFiles(Files.Path("faces"))[0])]));
        output.WriteLine($"the same scene {lowest:F4} or more, another {MaterialServer.Cosine(other, vectors[0]):F4}");
        Assert.True(MaterialServer.Cosine(other, vectors[0]) < lowest);
    }

    private static string Class(string file) => Path.GetFileName(Path.GetDirectoryName(file)!);
}
