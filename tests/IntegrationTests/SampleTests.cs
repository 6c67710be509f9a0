using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;

namespace Embeddings.IntegrationTests;

/// <summary>The programs in <c>samples/</c>, each run as a process against a server process.</summary>
public sealed class SampleTests(SampleTests.Server server) : IClassFixture<SampleTests.Server>, IDisposable
{
    private readonly TempFolder _folder = new();

    private Api Api => server.Api;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task QuickStart_embeds_ingests_searches_and_deletes()
    {
        using var sample = Run("QuickStart");
        var (code, output) = await sample.EndAsync();

        Assert.Equal((0, ""), (code, code == 0 ? "" : output));
        Assert.Contains("embedded gradient: ", output, StringComparison.Ordinal);
        Assert.Contains("stored checkerboard in quick_start", output, StringComparison.Ordinal);
        Assert.Contains("found gradient with score 1.0000", output, StringComparison.Ordinal);
        Assert.Contains("deleted 3 points", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task QuickStart_uses_the_images_given_as_arguments()
    {
        using var sample = Run("QuickStart", [.. Enumerable.Range(0, 2).Select(WriteImage)]);
        var (code, output) = await sample.EndAsync();

        Assert.Equal((0, ""), (code, code == 0 ? "" : output));
        Assert.Contains("found 0 with score 1.0000", output, StringComparison.Ordinal);
        Assert.Contains("deleted 2 points", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task IngestionWorker_resumes_with_the_items_that_are_not_stored()
    {
        var lines = Enumerable.Range(0, 30).Select(i => Line(WriteImage(i), $"job-{i}", i % 3 == 0 ? i : null)).ToList();
        lines.Insert(5, "{\"path\": \"no job id\"}");
        var list = Path.Combine(_folder.Path, "items.jsonl");
        await File.WriteAllLinesAsync(list, lines);
        await File.WriteAllBytesAsync(WriteImage(11), [1, 2, 3]);

        Assert.Equal((1, "Stored 29, skipped 0, failed 2."), await IngestAsync(list));
        WriteImage(11);
        lines.RemoveAt(5);
        await File.WriteAllLinesAsync(list, lines);
        Assert.Equal((0, "Stored 1, skipped 29, failed 0."), await IngestAsync(list));

        Assert.Equal(20, (await Api.Vectors.CountVectorsAsync(new() { Collection = "image_embeddings" }).Bound()).Count);
        var face = (await Api.Vectors.GetVectorAsync(new() { Collection = "face_embeddings", PointId = "job-27-27" }).Bound()).Point;
        Assert.Equal(("media-1", 27), (face.Payload.MediaStoreId, face.Payload.FaceIndex));
        Assert.Equal((10f, 90f), (face.Payload.Bbox.X, face.Payload.Bbox.Height));
    }

    [Fact]
    public async Task IngestionWorker_does_not_start_without_a_list()
    {
        using var sample = Run("IngestionWorker");
        var (code, output) = await sample.EndAsync();

        Assert.NotEqual(0, code);
        Assert.Contains("Items", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AspNetCore_answers_an_image_with_the_nearest_points()
    {
        for (var i = 0; i < 3; i++)
        {
            var item = new V1.ImageItem { JobId = $"job-{i}", MediaStoreId = "media-1", Image = TestImages.Photo(i) };
            await Api.Ingest.IngestImageAsync(new() { Item = item, Collection = "web" }).Bound();
        }

        using var sample = Run("AspNetCore", "--urls", "http://127.0.0.1:0");
        using var http = new HttpClient { BaseAddress = await sample.AddressAsync(), Timeout = Bounds.Limit };
        using var found = await http.PostAsync("search?collection=web&limit=2", new ByteArrayContent(TestImages.Jpeg(1)));
        var neighbors = (await found.Content.ReadFromJsonAsync<JsonElement>()).EnumerateArray().ToArray();
        Assert.Equal(2, neighbors.Length);
        Assert.Equal("job-1", neighbors[0].GetProperty("pointId").GetString());
        Assert.Equal("media-1", neighbors[0].GetProperty("mediaStoreId").GetString());

        using var bad = await http.PostAsync("search?collection=web", new ByteArrayContent([1, 2, 3]));
        Assert.Equal(HttpStatusCode.BadRequest, bad.StatusCode);
        Assert.Equal("Healthy", await http.GetStringAsync("healthz"));
    }

    [Fact]
    public async Task AspNetCore_is_unhealthy_without_the_service()
    {
        // No server listens on port 1.
        using var sample = new SampleProcess("AspNetCore", "127.0.0.1:1", "--urls", "http://127.0.0.1:0");
        using var http = new HttpClient { BaseAddress = await sample.AddressAsync(), Timeout = Bounds.Limit };
        using var unhealthy = await http.GetAsync("healthz");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, unhealthy.StatusCode);
    }

    private static string Line(string file, string jobId, int? faceIndex)
    {
        var face = $$""", "face_index": {{faceIndex}}, "bbox": {"x": 10, "y": 20, "width": 80, "height": 90}, "confidence": 0.98""";
        return $$"""{"path": "{{Path.GetFileName(file)}}", "job_id": "{{jobId}}", "media_store_id": "media-1"{{(faceIndex is null ? "" : face)}}}""";
    }

    private async Task<(int Code, string Summary)> IngestAsync(string list)
    {
        using var sample = Run("IngestionWorker", $"--Ingestion:Items={list}");
        var (code, output) = await sample.EndAsync();
        var summary = output.Split('\n').FirstOrDefault(line => line.Contains("Stored ", StringComparison.Ordinal));
        return (code, summary?.Trim() ?? output);
    }

    private SampleProcess Run(string name, params string[] args) => new(name, Api.Channel.Target, args);

    private string WriteImage(int seed)
    {
        var file = Path.Combine(_folder.Path, $"{seed}.jpg");
        File.WriteAllBytes(file, TestImages.Jpeg(seed, TestImages.CropSide, TestImages.CropSide));
        return file;
    }

    public sealed class Server : IAsyncLifetime
    {
        private readonly TempFolder _data = new();
        private ChildProcess? _process;
        private Api? _api;

        public Api Api => _api!;

        public async ValueTask InitializeAsync() => (_process, _api) = await ServerProcess.StartAsync(_data.Path);

        public ValueTask DisposeAsync()
        {
            _api?.Dispose();
            _process?.Dispose();
            _data.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
