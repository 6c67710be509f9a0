using System.ComponentModel.DataAnnotations;

namespace Embeddings.Server.Hosting;

/// <summary>Where metrics go. Section <c>Telemetry</c>.</summary>
internal sealed record TelemetryOptions
{
    /// <summary>An OTLP endpoint, for example <c>http://127.0.0.1:4317</c>; empty for none.</summary>
    /// <value>Default: empty, or the standard environment variable OTEL_EXPORTER_OTLP_ENDPOINT.</value>
    public string OtlpEndpoint { get; init; } = Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT") ?? "";

    /// <summary>Whether OTLP is spoken over HTTP with Protocol Buffers instead of gRPC.</summary>
    /// <value>Default: false.</value>
    public bool OtlpHttp { get; init; }

    /// <summary>Seconds between exports.</summary>
    /// <value>Default: 15. From 1 to 3,600.</value>
    [Range(1, 3600)]
    public int ExportSeconds { get; init; } = 15;
}
