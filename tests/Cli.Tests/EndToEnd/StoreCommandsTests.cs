using System.Globalization;
using Embeddings.Cli.Samples;

namespace Embeddings.Cli.Tests.EndToEnd;

/// <summary>search, get, list, count, delete over two scenes and two faces of one job.</summary>
public sealed class StoreCommandsTests(RunningServer server) : IClassFixture<RunningServer>
{
    [Fact]
    public async Task Ingested_items_are_found_listed_counted_and_deleted()
    {
        using var folder = new TempFolder();
        foreach (var (name, sample) in new[] { ("one", 1), ("two", 2) })
        {
            folder.Write($"{name}.jpg", SampleSet.Get(ItemKind.Image, sample, 1).Jpeg.ToArray());
        }
        var query = folder.Write("query.jpg", SampleSet.Get(ItemKind.Image, 1, 2).Jpeg.ToArray());
        var list = folder.Write("scenes.jsonl", """
            {"path": "one.jpg", "job_id": "job-1", "media_store_id": "media-1", "attributes": {"year": 2020, "good": true}}
            {"path": "two.jpg", "job_id": "job-2", "media_store_id": "media-2", "attributes": {"year": 2024, "good": false}}
            """);
        Assert.Equal(ExitCode.Done, (await server.RunAsync("ingest", list, "--kind", "image")).ExitCode);
        Assert.Equal(ExitCode.Done, (await server.RunAsync("ingest", list, "--kind", "face", "--aligned")).ExitCode);

        Assert.Equal(["job-1", "job-2"], await IdsAsync("search", query, "--json"));
        Assert.Equal(["job-2"], await IdsAsync("search", query, "--media-store-id", "media-2", "--json"));
        Assert.Equal(["job-2"], await IdsAsync("search", query, "--attribute", "year>2020", "--json"));
        Assert.Equal(["job-1"], await IdsAsync("search", query, "--attribute", "good=true", "--json"));
        Assert.Equal(["job-1"], await IdsAsync("search", query, "--limit", "1", "--json"));
        Assert.Equal([], await IdsAsync("search", query, "--threshold", "1", "--json"));
        Assert.Equal(["job-2"], await IdsAsync("search", "--point", "job-1", "--json"));
        Assert.Equal(["job-2-0"], await IdsAsync("search", "--point", "job-1-0", "--kind", "face", "--json"));
        Assert.Contains("job-1", (await server.RunAsync("search", query)).Output, StringComparison.Ordinal);
        Assert.Equal(["job-2"], await IdsAsync("search", query, "--offset", "1", "--exact", "true", "--json"));
        Assert.Equal(["job-1", "job-2"], await IdsAsync("search", query, "--group-by", "attribute.year", "--group-size", "3", "--json"));
        Assert.Equal(["job-1"], await IdsAsync("search", query, "--group-by", "media_store_id", "--limit", "1", "--json"));
        Assert.Equal(["job-1"], await IdsAsync("search", query, "--unlike", "job-2", "--json"));
        Assert.Equal([], await IdsAsync("search", "--point", "job-1", "--point", "job-2", "--json"));

        Assert.Equal(["job-1", "job-2"], (await IdsAsync("list", "--json")).Order(StringComparer.Ordinal));
        Assert.Equal(["job-2"], await IdsAsync("list", "--attribute", "year=2024", "--json"));
        Assert.Single((await server.RunAsync("list", "--limit", "1")).Lines);
        var collections = (await server.RunAsync("list", "--collections", "--json")).Objects;
        Assert.Equal(["face_embeddings", "image_embeddings"], collections.Select(item => item.GetProperty("name").GetString()));
        Assert.Equal(1, (await server.RunAsync("count", "--job-id", "job-1", "--json")).Objects[0].GetProperty("count").GetInt32());

        Assert.Equal("1 deleted", Assert.Single((await server.RunAsync("delete", "job-1", "none")).Lines));
        var deleted = (await server.RunAsync("delete", "--kind", "face", "--media-store-id", "media-1", "--json")).Objects[0];
        Assert.Equal(1, deleted.GetProperty("deleted").GetInt32());
        // The image and the face of the job: all collections.
        Assert.Equal("2 deleted", Assert.Single((await server.RunAsync("delete", "--job-id", "job-2")).Lines));
        Assert.Equal("0", Assert.Single((await server.RunAsync("count")).Lines));

        Assert.Equal("face_embeddings deleted with 0 points", Assert.Single((await server.RunAsync("delete", "--whole-collection", "-c", "face_embeddings")).Lines));
        Assert.Contains("COLLECTION_NOT_FOUND", (await server.RunAsync("count", "--kind", "face")).Error, StringComparison.Ordinal);

        var gone = await server.RunAsync("get", "job-1");
        Assert.Equal((ExitCode.Failed, ""), (gone.ExitCode, gone.Output));
        Assert.Contains("POINT_NOT_FOUND", Assert.Single(gone.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Embed_prints_vectors_and_reports_files_that_cannot_be_embedded()
    {
        using var folder = new TempFolder();
        var (face, text) = (SampleSet.Get(ItemKind.Face, 1, 1), folder.Write("text.jpg", "text"));
        var image = folder.Write("face.jpg", face.Jpeg.ToArray());
        var landmarks = string.Join(',', face.Landmarks!.Points().Select(point => string.Create(CultureInfo.InvariantCulture, $"{point.X},{point.Y}")));

        var good = Assert.Single((await server.RunAsync("embed", image, "--kind", "face", "--landmarks", landmarks, "--json")).Objects);
        Assert.Equal(512, good.GetProperty("values").GetArrayLength());
        Assert.Equal(1, good.GetProperty("norm").GetDouble(), 6);
        var plain = Assert.Single((await server.RunAsync("embed", image, "--kind", "face")).Lines);
        Assert.Contains("(512,) norm 1.0000", plain, StringComparison.Ordinal);

        var bad = await server.RunAsync("embed", text);
        Assert.Equal((ExitCode.Failed, ""), (bad.ExitCode, bad.Output));
        Assert.Contains("IMAGE_FORMAT_UNKNOWN", Assert.Single(bad.ErrorLines), StringComparison.Ordinal);

        var some = await server.RunAsync("embed", text, image, folder.File("none.jpg"), "--json");
        Assert.Equal(ExitCode.SomeItemsFailed, some.ExitCode);
        Assert.Equal(["IMAGE_FORMAT_UNKNOWN", null, "FILE_NOT_FOUND"],
            some.Objects.Select(line => line.TryGetProperty("error", out var error) ? error.GetProperty("reason").GetString() : null));
    }

    [Fact]
    public async Task Models_are_listed_with_their_properties()
    {
        var models = (await server.RunAsync("models", "--json")).Objects;
        Assert.Equal(["face", "image"], models.Select(model => model.GetProperty("kind").GetString()).Order(StringComparer.Ordinal));
        Assert.All(models, model => Assert.Equal(512, model.GetProperty("dimension").GetInt32()));
        Assert.All(models, model => Assert.Contains("untrained", model.GetProperty("description").GetString(), StringComparison.Ordinal));
    }

    private async Task<IEnumerable<string?>> IdsAsync(params string[] args)
    {
        var result = await server.RunAsync(args);
        Assert.Equal((ExitCode.Done, ""), (result.ExitCode, result.Error));
        return result.Objects.Select(line => line.GetProperty("point_id").GetString());
    }
}
