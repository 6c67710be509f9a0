using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;

namespace Embeddings.IntegrationTests;

/// <summary>The server's metrics in an OpenTelemetry collector, over both of OTLP's protocols.</summary>
public sealed class OtlpTests : IDisposable
{
    private static readonly string[] Instruments =
        ["embeddings.batch.size", "embeddings.stage.duration", "embeddings.items", "embeddings.queue.depth"];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [ToolFact("OTELCOL")]
    public async Task The_servers_metrics_arrive_at_a_collector_over_gRPC_and_HTTP()
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
            await server.Api.Embedding.EmbedFaceAsync(new() { Face = Pictures.Crop(1) }).Bound();
            foreach (var name in Instruments)
            {
                await collector.SeenAsync($"Name: {name}");
            }
            await collector.SeenAsync("service.name: Str(embeddings)");
        }
    }
}
