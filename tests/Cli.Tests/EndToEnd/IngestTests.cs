using System.Text.Json;
using Embeddings.Cli.Samples;

namespace Embeddings.Cli.Tests.EndToEnd;

public sealed class IngestTests(RunningServer server) : IClassFixture<RunningServer>
{
    [Fact]
    public async Task Valid_images_are_stored_and_invalid_ones_are_reported_and_can_be_resumed()
    {
        using var folder = new TempFolder();
        var failed = folder.File("failed.jsonl");
        for (var subject = 1; subject <= 5; subject++)
        {
            folder.Write($"in/{subject}.jpg", Scene(subject));
        }
        folder.Write("in/text.png", "not an image");
        folder.Write("in/empty.jpg", "");
        folder.Write("in/sub/cut.jpg", Scene(6)[..200]);

        var first = await server.RunAsync("ingest", folder.File("in"), "--kind", "image", "-c", "resumed", "--failed", failed);
        Assert.Equal(ExitCode.SomeItemsFailed, first.ExitCode);
        Assert.StartsWith("5 stored, 0 skipped, 3 failed", first.Lines[^1], StringComparison.Ordinal);
        Assert.Equal(["empty.jpg", "sub/cut.jpg", "text.png"], File.ReadLines(failed).Select(line => Field(line, "job_id")).Order(StringComparer.Ordinal));
        Assert.All(File.ReadLines(failed), line => Assert.StartsWith("IMAGE_", Reason(line), StringComparison.Ordinal));
        Assert.Equal("5", Assert.Single((await server.RunAsync("count", "-c", "resumed")).Lines));

        folder.Write("in/text.png", Scene(7));
        var second = await server.RunAsync("ingest", folder.File("in"), "--kind", "image", "-c", "resumed", "--failed", failed, "--resume");
        Assert.StartsWith("1 stored, 5 skipped, 2 failed", second.Lines[^1], StringComparison.Ordinal);
        Assert.Equal("6", Assert.Single((await server.RunAsync("count", "-c", "resumed")).Lines));
    }

    [Fact]
    public async Task The_fields_of_an_item_list_are_stored_and_its_invalid_lines_do_not_stop_the_stream()
    {
        using var folder = new TempFolder();
        var face = SampleSet.Get(ItemKind.Face, 1, 1);
        folder.Write("p/face.jpg", face.Jpeg.ToArray());
        var landmarks = JsonSerializer.Serialize(face.Landmarks!.Points().Select(point => new[] { point.X, point.Y }));
        const string Known = """
            "media_store_id": "media-1", "face_index": 4, "bbox": {"x": 1, "y": 2, "width": 3, "height": 4}, "confidence": 0.5
            """;
        var list = folder.Write("faces.jsonl", $$$"""
            {"path": "p/face.jpg", "job_id": "m-1", {{{Known}}}, "landmarks": {{{landmarks}}}, "attributes": {"k": [1, "two"]}}
            garbage
            {"path": "p/none.jpg", "job_id": "m-2"}
            {"path": "p/face.jpg", "job_id": "m-3", "landmarks": [[1,1],[1,1],[1,1],[1,1],[1,1]]}
            {"path": "p/face.jpg", "job_id": "m-4"}
            """);
        var result = await server.RunAsync("ingest", list, "--kind", "face", "-c", "listed", "--failed", folder.File("failed.jsonl"), "--json");
        Assert.Equal(ExitCode.SomeItemsFailed, result.ExitCode);
        var summary = result.Objects[^1].GetProperty("summary");
        Assert.Equal((2, 3), (summary.GetProperty("stored").GetInt32(), summary.GetProperty("failed").GetInt32()));
        var stored = result.Objects.Where(line => line.TryGetProperty("point_id", out _));
        Assert.Equal(["m-1-4", "m-4-0"], stored.Select(line => line.GetProperty("point_id").GetString()));
        var reasons = File.ReadLines(folder.File("failed.jsonl")).Select(Reason).Order(StringComparer.Ordinal);
        Assert.Equal(["FILE_NOT_FOUND", "ITEM_LIST_LINE_INVALID", "LANDMARKS_INVALID"], reasons);

        var point = Assert.Single((await server.RunAsync("get", "m-1-4", "-c", "listed", "--json")).Objects);
        Assert.Equal("m-1", point.GetProperty("job_id").GetString());
        Assert.Equal("media-1", point.GetProperty("media_store_id").GetString());
        Assert.Equal(4, point.GetProperty("face_index").GetInt32());
        Assert.Equal(0.5f, point.GetProperty("confidence").GetSingle());
        Assert.Equal(4, point.GetProperty("bbox").GetProperty("height").GetSingle());
        Assert.Equal("two", point.GetProperty("attributes").GetProperty("k")[1].GetString());
        var points = point.GetProperty("landmarks").EnumerateArray().Select(pair => pair.EnumerateArray().Select(value => value.GetSingle()));
        Assert.Equal(landmarks, JsonSerializer.Serialize(points));
        Assert.Equal(512, point.GetProperty("vector").GetArrayLength());
    }

    [Fact]
    public async Task A_file_above_the_limit_fails_alone()
    {
        using var folder = new TempFolder();
        folder.Write("in/a.jpg", Scene(1));
        folder.Write("in/b.jpg", new byte[ImageFile.DefaultMaxBytes + 1]);
        folder.Write("in/c.jpg", Scene(2));
        // Refused first by the command, then by the server.
        foreach (var more in (string[][])[[], ["--max-bytes", $"{ImageFile.DefaultMaxBytes + 1}"]])
        {
            string[] arguments = ["ingest", folder.File("in"), "--kind", "image", "-c", "large", "--failed", folder.File("failed.jsonl"), .. more];
            var result = await server.RunAsync(arguments);
            Assert.Equal(ExitCode.SomeItemsFailed, result.ExitCode);
            Assert.StartsWith("2 stored, 0 skipped, 1 failed", result.Lines[^1], StringComparison.Ordinal);
            Assert.Equal("IMAGE_TOO_LARGE", Reason(Assert.Single(File.ReadLines(folder.File("failed.jsonl")))));
        }
    }

    [Fact]
    public async Task An_unknown_model_is_one_line()
    {
        using var folder = new TempFolder();
        folder.Write("a.jpg", Scene(1));
        var result = await server.RunAsync("ingest", folder.Path, "--kind", "image", "--model", "nonsense");
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Contains("MODEL_NOT_FOUND", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_directory_or_list_without_items_is_an_error()
    {
        using var folder = new TempFolder();
        var list = folder.Write("empty.jsonl", "\n\n");
        foreach (var (path, message) in new[] { (folder.Path, "contains no images; skipped 1 file"), (list, "contains no items") })
        {
            var result = await server.RunAsync("ingest", path);
            Assert.Equal((ExitCode.Failed, ""), (result.ExitCode, result.Output));
            Assert.Contains(message, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Files_that_are_not_images_are_skipped_and_counted()
    {
        using var folder = new TempFolder();
        folder.Write("in/a.jpg", Scene(1));
        folder.Write("in/without-extension", Scene(2));
        folder.Write("in/notes.txt", "text");
        folder.Write("in/sub/Thumbs.db", "database");
        folder.Write("in/.DS_Store", "hidden");
        folder.Write("in/.cache/a.jpg", Scene(3));
        var plain = await server.RunAsync("ingest", folder.File("in"), "-c", "filtered");
        Assert.Equal(ExitCode.Done, plain.ExitCode);
        Assert.Equal("skipped 2 hidden files or directories and 2 files that are not images", plain.Lines[0]);
        Assert.StartsWith("2 stored, 0 skipped, 0 failed", plain.Lines[1], StringComparison.Ordinal);
        var summary = (await server.RunAsync("ingest", folder.File("in"), "-c", "filtered", "--json")).Objects[^1].GetProperty("summary");
        Assert.Equal((2, 2), (summary.GetProperty("hidden").GetInt32(), summary.GetProperty("not_images").GetInt32()));
    }

    [Fact]
    public async Task A_misspelt_field_fails_with_its_line_and_the_nearest_name()
    {
        using var folder = new TempFolder();
        folder.Write("a.jpg", Scene(1));
        var list = folder.Write("list.jsonl", """
            {"path": "a.jpg", "job_id": "right"}
            {"path": "a.jpg", "job_id": "wrong", "atributes": {"a": 1}}
            """);
        var result = await server.RunAsync("ingest", list, "-c", "misspelt", "--failed", folder.File("failed.jsonl"));
        Assert.Equal(ExitCode.SomeItemsFailed, result.ExitCode);
        Assert.Contains(result.ErrorLines, line => line.StartsWith("line 2: ", StringComparison.Ordinal)
            && line.EndsWith("atributes is not a field of an item list. Did you mean attributes?", StringComparison.Ordinal));
        Assert.Equal("1", Assert.Single((await server.RunAsync("count", "-c", "misspelt")).Lines));
    }

    private static byte[] Scene(int subject) => SampleSet.Get(ItemKind.Image, subject, 1).Jpeg.ToArray();

    private static string? Field(string line, string name) =>
        JsonDocument.Parse(line).RootElement.GetProperty(name).GetString();

    private static string Reason(string line) =>
        JsonDocument.Parse(line).RootElement.GetProperty("error").GetProperty("reason").GetString()!;
}
