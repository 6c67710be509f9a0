using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Embeddings.IntegrationTests;

/// <summary>Export of metrics over both protocols of OTLP.</summary>
public sealed class OtlpTests : IDisposable
{
    private static readonly string[] Instruments =
        ["embeddings.batch.size", "embeddings.stage.duration", "embeddings.items", "embeddings.queue.depth"];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_last_metrics_are_exported_when_the_server_stops()
    {
        var exported = new TaskCompletionSource<string>();
        var builder = WebApplication.CreateSlimBuilder(["--urls=http://127.0.0.1:0", "--Logging:LogLevel:Default=None"]);
        await using var collector = builder.Build();
        collector.MapPost("/v1/metrics", async (HttpRequest request) =>
        {
            using var body = new StreamReader(request.Body, System.Text.Encoding.Latin1);
            exported.TrySetResult(await body.ReadToEndAsync());
        });
        await collector.StartAsync().Bound();
        await using (var server = await TestServer.StartAsync(
            $"--Telemetry:OtlpEndpoint={collector.Urls.Single()}", "--Telemetry:OtlpHttp=true", "--Telemetry:ExportSeconds=3600"))
        {
            await server.Api.Embedding.EmbedFaceAsync(new() { Face = TestImages.Crop(1) }).Bound();
            await server.StopAsync();
        }
        var metrics = await exported.Task.Bound();
        Assert.All(Instruments, name => Assert.Contains(name, metrics));
    }

    [ToolFact("OTELCOL")]
    public async Task Metrics_arrive_at_a_collector_over_gRPC_and_HTTP()
    {
        var ports = Tool.FreePorts(2);
        var config = Path.Combine(_folder.Path, "collector.yaml");
        await File.WriteAllTextAsync(config, $$"""
            receivers:
              otlp:
                protocols:
                  grpc: { endpoint: "127.0.0.1:{{ports[0]}}" }
                  http: { endpoint: "127.0.0.1:{{ports[1]}}" }
            exporters:
              debug: { verbosity: detailed }
            service:
              telemetry:
                metrics: { level: none }
              pipelines:
                metrics: { receivers: [otlp], exporters: [debug] }
            """);
        foreach (var (port, http) in new[] { (ports[0], false), (ports[1], true) })
        {
            using var collector = ChildProcess.Start(Tool.Path("OTELCOL"), ["--config", $"file:{config}"]);
            await collector.SeenAsync("Everything is ready");
            await using var server = await TestServer.StartAsync(
                $"--Telemetry:OtlpEndpoint=http://127.0.0.1:{port}",
                $"--Telemetry:OtlpHttp={http}",
                "--Telemetry:ExportSeconds=1");
            await server.Api.Embedding.EmbedFaceAsync(new() { Face = TestImages.Crop(1) }).Bound();
            foreach (var name in Instruments)
            {
                await collector.SeenAsync($"Name: {name}");
            }
            await collector.SeenAsync("service.name: Str(embeddings)");
        }
    }
}
