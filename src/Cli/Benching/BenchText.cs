using System.Globalization;
using System.Text.Json;

namespace Embeddings.Cli.Benching;

/// <summary>A load's result in words and as JSON.</summary>
internal static class BenchText
{
    private static readonly (string Name, double Part)[] Percentiles = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1)];

    public static IReadOnlyList<(string Name, string Value)> Lines(LoadResult result) =>
    [
        ("throughput", Invariant($"{result.Rate:N1} items/s")),
        ("items", Invariant($"{result.Embedded:N0} embedded, {result.Failed:N0} failed, in {result.Elapsed.TotalSeconds:0.0} s")),
        .. result.FirstError is { } error ? [("first error", $"{error.Reason}: {error.Message}")] : Array.Empty<(string, string)>(),
        .. Percentiles.Select(percentile => ($"latency {percentile.Name}", Invariant($"{result.Latency(percentile.Part):0.00} ms"))),
        ("mean batch", Invariant($"{result.MeanBatch:0.0} items")),
    ];

    public static void Write(Utf8JsonWriter json, LoadResult result)
    {
        json.WriteNumber("items_per_second", Math.Round(result.Rate, 2));
        json.WriteNumber("embedded", result.Embedded);
        json.WriteNumber("failed", result.Failed);
        json.WriteNumber("seconds", Math.Round(result.Elapsed.TotalSeconds, 3));
        json.WriteStartObject("latency_ms");
        foreach (var (name, part) in Percentiles)
        {
            json.WriteNumber(name, Math.Round(result.Latency(part), 3));
        }
        json.WriteEndObject();
        json.WriteNumber("mean_batch", Math.Round(result.MeanBatch, 2));
        json.WriteStartObject("batches");
        foreach (var (size, count) in result.Batches)
        {
            json.WriteNumber(size.ToString(CultureInfo.InvariantCulture), count);
        }
        json.WriteEndObject();
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
