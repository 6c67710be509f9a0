using System.Text.Json;
using Embeddings.Cli.Sampling;

namespace Embeddings.Cli.Tests.EndToEnd;

public sealed class IngestTests(RunningServer server) : IClassFixture<RunningServer>
{
    [Fact]
    public async Task Good_pictures_are_stored_and_broken_ones_are_told_and_resumed()
    {
        using var folder = new TempFolder();
        var failed = folder.File("failed.jsonl");
        for (var subject = 1; subject <= 5; subject++)
        {
            folder.Write($"in/{subject}.jpg", Scene(subject));
        }
        folder.Write("in/text.png", "not a picture");
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
    public async Task A_manifest_keeps_what_it_says_and_its_bad_lines_stop_nothing()
    {
        using var folder = new TempFolder();
        var face = new SampleSet().Draw(ItemKind.Face, 1, 1);
        folder.Write("p/face.jpg", face.Jpeg.ToArray());
        var landmarks = JsonSerializer.Serialize(face.Landmarks!.Points().Select(point => new[] { point.X, point.Y }));
        const string Known = """
            "media_store_id": "media-1", "face_index": 4, "bbox": {"x": 1, "y": 2, "width": 3, "height": 4}, "confidence": 0.5
            """;
        var manifest = folder.Write("faces.jsonl", $$$"""
            {"path": "p/face.jpg", "job_id": "m-1", {{{Known}}}, "landmarks": {{{landmarks}}}, "attributes": {"k": [1, "two"]}}
            garbage
            {"path": "p/none.jpg", "job_id": "m-2"}
            {"path": "p/face.jpg", "job_id": "m-3", "landmarks": [[1,1],[1,1],[1,1],[1,1],[1,1]]}
            {"path": "p/face.jpg", "job_id": "m-4"}
            """);
        var result = await server.RunAsync("ingest", manifest, "--kind", "face", "-c", "manifest", "--failed", folder.File("failed.jsonl"), "--json");
        Assert.Equal(ExitCode.SomeItemsFailed, result.ExitCode);
        var summary = result.Objects[^1].GetProperty("summary");
        Assert.Equal((2, 3), (summary.GetProperty("stored").GetInt32(), summary.GetProperty("failed").GetInt32()));
        var stored = result.Objects.Where(line => line.TryGetProperty("point_id", out _));
        Assert.Equal(["m-1-4", "m-4-0"], stored.Select(line => line.GetProperty("point_id").GetString()));
        var reasons = File.ReadLines(folder.File("failed.jsonl")).Select(Reason).Order(StringComparer.Ordinal);
        Assert.Equal(["FILE_NOT_FOUND", "LANDMARKS_INVALID", "MANIFEST_LINE_INVALID"], reasons);

        var point = Assert.Single((await server.RunAsync("get", "m-1-4", "-c", "manifest", "--json")).Objects);
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
    public async Task A_file_too_large_is_an_item_that_failed_and_the_stream_goes_on()
    {
        using var folder = new TempFolder();
        folder.Write("in/a.jpg", Scene(1));
        folder.Write("in/b.jpg", new byte[PictureFile.DefaultMaxBytes + 1]);
        folder.Write("in/c.jpg", Scene(2));
        // Once refused here, once let through and refused by the server.
        foreach (var more in (string[][])[[], ["--max-bytes", $"{PictureFile.DefaultMaxBytes + 1}"]])
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
    public async Task An_empty_folder_is_nothing_to_do()
    {
        using var folder = new TempFolder();
        var result = await server.RunAsync("ingest", folder.Path, "--kind", "image");
        Assert.Equal(ExitCode.Done, result.ExitCode);
        Assert.StartsWith("0 stored, 0 skipped, 0 failed", Assert.Single(result.Lines), StringComparison.Ordinal);
    }

    private static byte[] Scene(int subject) => new SampleSet().Draw(ItemKind.Image, subject, 1).Jpeg.ToArray();

    private static string? Field(string line, string name) => JsonDocument.Parse(line).RootElement.GetProperty(name).GetString();

    private static string Reason(string line) => JsonDocument.Parse(line).RootElement.GetProperty("error").GetProperty("reason").GetString()!;
}
