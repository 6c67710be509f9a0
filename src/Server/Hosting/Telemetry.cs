using System.ComponentModel.DataAnnotations;
using Embeddings.Core;
using Microsoft.Extensions.Options;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Embeddings.Server.Hosting;

/// <summary>Export of metrics over OTLP. Section <c>Telemetry</c>.</summary>
internal sealed record TelemetryOptions
{
    /// <summary>URL of an OTLP endpoint, for example <c>http://127.0.0.1:4317</c>; empty for none.</summary>
    /// <value>Default: the standard environment variable OTEL_EXPORTER_OTLP_ENDPOINT, or none.</value>
    public string? OtlpEndpoint { get; init; }

    /// <summary>Use of OTLP over HTTP with Protocol Buffers instead of gRPC.</summary>
    /// <value>Default: false.</value>
    public bool OtlpHttp { get; init; }

    /// <summary>Interval between exports, seconds.</summary>
    /// <value>Default: 15. From 1 to 3,600.</value>
    [Range(1, 3600)]
    public int ExportSeconds { get; init; } = 15;

    internal sealed class Validator : IValidateOptions<TelemetryOptions>
    {
        public ValidateOptionsResult Validate(string? name, TelemetryOptions options) =>
            string.IsNullOrEmpty(options.OtlpEndpoint)
                || (Uri.TryCreate(options.OtlpEndpoint, UriKind.Absolute, out var endpoint) && endpoint.Scheme is "http" or "https")
                ? ValidateOptionsResult.Success
                : ValidateOptionsResult.Fail($"Telemetry:OtlpEndpoint must be an http:// or https:// URL; got '{options.OtlpEndpoint}'.");
    }
}

/// <summary>Registration of metrics and their export.</summary>
internal static class TelemetryRegistration
{
    /// <summary>
    /// Adds the server's metrics. If an endpoint is configured, they are exported with those of Kestrel and the
    /// runtime; the last export happens when the host is disposed.
    /// </summary>
    public static IServiceCollection AddTelemetry(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddMetrics().AddSingleton<EmbeddingMetrics>();
        // Decided before the container exists: without an endpoint, no instrument must have a listener.
        if (string.IsNullOrEmpty(configuration["Telemetry:OtlpEndpoint"] ?? configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
        {
            return services;
        }
        services.AddOptions<OtlpExporterOptions>().Configure<TelemetryOptions>((exporter, options) =>
        {
            exporter.Protocol = options.OtlpHttp ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
            if (options.OtlpEndpoint is not null)
            {
                exporter.Endpoint = AddressOf(new(options.OtlpEndpoint), options.OtlpHttp);
            }
        });
        services.AddOptions<MetricReaderOptions>().Configure<TelemetryOptions>((reader, options) =>
            reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = options.ExportSeconds * 1000);
        services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService(
                "embeddings", serviceVersion: typeof(TelemetryOptions).Assembly.GetName().Version?.ToString(3)))
            .WithMetrics(metrics => metrics
                .AddMeter(EmbeddingMetrics.MeterName, "System.Runtime")
                .AddMeter("Microsoft.AspNetCore.Server.Kestrel", "Microsoft.AspNetCore.Hosting")
                .AddOtlpExporter());
        return services;
    }

    // An endpoint that is set by code is used unchanged; the OTLP specification puts metrics over HTTP under
    // /v1/metrics.
    private static Uri AddressOf(Uri endpoint, bool http) =>
        http && endpoint.AbsolutePath == "/" ? new(endpoint, "/v1/metrics") : endpoint;
}
