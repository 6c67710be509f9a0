using System.Text.Json;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;
using Embeddings.V1;
using Google.Protobuf;

namespace Embeddings.IntegrationTests;

/// <summary>Load by <c>ghz</c>, an independent client that gets the schema by reflection.</summary>
public sealed class GhzTests : IDisposable
{
    // With reflection, fields have the names of the .proto files.
    private static readonly JsonFormatter Json = new(JsonFormatter.Settings.Default.WithPreserveProtoFieldNames(true));

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [ToolFact("GHZ")]
    public Task Single_calls_succeed() =>
        AssertAllSucceedAsync("EmbedFace", 200, Json.Format(new EmbedFaceRequest { Face = TestImages.Crop(1) }));

    [ToolFact("GHZ")]
    public Task Streams_succeed()
    {
        var items = Enumerable.Range(0, 8).Select(i => Json.Format(Items.EmbedFace($"{i}", TestImages.Crop(i))));
        return AssertAllSucceedAsync("StreamEmbed", 40, $"[{string.Join(", ", items)}]");
    }

    private async Task AssertAllSucceedAsync(string method, int calls, string json)
    {
        var data = Path.Combine(_folder.Path, "data.json");
        await File.WriteAllTextAsync(data, json);
        var report = Path.Combine(_folder.Path, "report.json");
        await using var server = await TestServer.StartAsync();
        var (code, output) = await ChildProcess.RunAsync(
            Tool.Path("GHZ"),
            [
                "--insecure", "--call", $"embeddings.v1.EmbeddingService.{method}", "-n", $"{calls}", "-c", "4",
                "--data-file", data, "--format", "json", "--output", report, new Uri(server.Address).Authority,
            ]);
        Assert.True(code == 0, output);
        using var result = JsonDocument.Parse(await File.ReadAllTextAsync(report));
        var statuses = result.RootElement.GetProperty("statusCodeDistribution").EnumerateObject()
            .Select(status => (status.Name, status.Value.GetInt32()));
        Assert.True(statuses.SequenceEqual([("OK", calls)]), result.RootElement.ToString());
        Assert.Equal(calls, result.RootElement.GetProperty("count").GetInt32());
    }
}
