using Embeddings.Core;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Embeddings.Server.Hosting;

/// <summary>Exports the server's, Kestrel's and the runtime's metrics over OTLP while the server runs, where an endpoint is configured.</summary>
internal sealed class TelemetryExport(TelemetryOptions options) : IHostedService, IDisposable
{
    private MeterProvider? _provider;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.OtlpEndpoint.Length > 0)
        {
            _provider = Sdk.CreateMeterProviderBuilder()
                .ConfigureResource(resource => resource.AddService("embeddings", serviceVersion: typeof(TelemetryExport).Assembly.GetName().Version?.ToString(3)))
                .AddMeter(EmbeddingMetrics.MeterName, "System.Runtime", "Microsoft.AspNetCore.Server.Kestrel", "Microsoft.AspNetCore.Hosting")
                .AddOtlpExporter((exporter, reader) =>
                {
                    exporter.Endpoint = Endpoint();
                    exporter.Protocol = options.OtlpHttp ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
                    reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = options.ExportSeconds * 1000;
                })
                .Build();
        }
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _provider?.ForceFlush(2000);
        return Task.CompletedTask;
    }

    public void Dispose() => _provider?.Dispose();

    private Uri Endpoint()
    {
        var endpoint = new Uri(options.OtlpEndpoint);
        // Set by code, the exporter takes the address as it is; the OTLP specification puts metrics over HTTP under /v1/metrics.
        return options.OtlpHttp && endpoint.AbsolutePath == "/" ? new Uri(endpoint, "/v1/metrics") : endpoint;
    }
}
