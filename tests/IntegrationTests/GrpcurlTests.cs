using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;

namespace Embeddings.IntegrationTests;

/// <summary>The <c>grpcurl</c> commands of README.md.</summary>
public sealed class GrpcurlTests
{
    private const string DocumentedAddress = "127.0.0.1:50051";

    [ToolFact("GRPCURL")]
    public async Task The_commands_of_the_README_work()
    {
        var lines = File.ReadLines(Path.Combine(Repository.Root, "README.md"))
            .Where(line => line.StartsWith("grpcurl ", StringComparison.Ordinal))
            .ToList();
        Assert.InRange(lines.Count, 3, int.MaxValue);
        Assert.All(lines, line => Assert.Contains(DocumentedAddress, line, StringComparison.Ordinal));
        await using var server = await TestServer.StartAsync();
        var address = new Uri(server.Address).Authority;
        var path = $"{Path.GetDirectoryName(Tool.Path("GRPCURL"))}:{Environment.GetEnvironmentVariable("PATH")}";
        foreach (var line in lines)
        {
            var command = line.Replace(DocumentedAddress, address, StringComparison.Ordinal);
            var (code, output) = await ChildProcess.RunAsync("sh", ["-c", command], Repository.Root, [new("PATH", path)]);
            Assert.True(code == 0 && output.Length > 0, $"{line}: exit code {code}: {output}");
        }
    }

    [ToolFact("GRPCURL")]
    public async Task Reflection_serves_comments_JSON_names_and_error_details()
    {
        await using var server = await TestServer.StartAsync();
        foreach (var (call, expected) in ((string, string)[])
        [
            ("describe embeddings.v1.FaceLandmarks", "// The five facial landmarks used for alignment"),
            ("describe embeddings.v1.IngestService.StreamIngest", "//"),
            ("describe google.rpc.BadRequest", "field_violations"),
            ("embeddings.v1.ModelService/ListModels", "\"defaultForKind\": true"),
            ("list", "grpc.health.v1.Health\ngrpc.reflection.v1.ServerReflection\ngrpc.reflection.v1alpha.ServerReflection"),
        ])
        {
            var (_, output) = await CallAsync(server, [], call.Split(' '));
            Assert.Contains(expected, output, StringComparison.Ordinal);
        }
    }

    [ToolFact("GRPCURL")]
    public async Task Error_details_are_printed_as_fields()
    {
        await using var server = await TestServer.StartAsync();
        var (code, output) = await CallAsync(
            server, ["-d", "{\"image\": {\"encoded\": \"AAAA\"}}"], "embeddings.v1.EmbeddingService/EmbedImage");
        Assert.NotEqual(0, code);
        Assert.Contains("\"reason\": \"IMAGE_FORMAT_UNKNOWN\"", output, StringComparison.Ordinal);
        Assert.Contains("\"fieldViolations\"", output, StringComparison.Ordinal);
        Assert.Contains("\"field\": \"image.encoded\"", output, StringComparison.Ordinal);
        Assert.DoesNotContain("@value", output, StringComparison.Ordinal);
    }

    private static Task<(int Code, string Output)> CallAsync(TestServer server, string[] options, params string[] call) =>
        ChildProcess.RunAsync(
            Tool.Path("GRPCURL"), ["-plaintext", .. options, new Uri(server.Address).Authority, .. call], Repository.Root, []);
}
