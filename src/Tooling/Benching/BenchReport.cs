using System.Globalization;
using System.Net;
using System.Text;
using Embeddings.Tooling.Charts;

namespace Embeddings.Tooling.Benching;

/// <summary>Writes the figures of a load as one self-contained HTML page.</summary>
internal static class BenchReport
{
    private const int Bins = 40;

    /// <param name="settings">Settings of the load: names and values.</param>
    /// <param name="result">The figures.</param>
    /// <param name="createdAt">Time of the report.</param>
    public static string Html(
        IReadOnlyList<(string Name, string Value)> settings, LoadResult result, DateTimeOffset createdAt)
    {
        var created = createdAt.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);
        return $$"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <title>Embeddings: load report</title>
            <style>
            body { font-family: sans-serif; margin: 2em auto; max-width: 50em; color: #222; background: #fff; }
            table { border-collapse: collapse; margin: 1em 0; }
            td, th { text-align: left; padding: 0.2em 1.5em 0.2em 0; border-bottom: 1px solid #ddd; }
            img { max-width: 100%; height: auto; }
            </style>
            </head>
            <body>
            <h1>Load report</h1>
            {{Table([.. settings, ("created", created)])}}
            <h2>Result</h2>
            {{Table(result.Lines())}}
            <h2>Latency</h2>
            <p>Time from handing over an item to its response, including the wait in the stream.</p>
            {{Image(Latencies(result))}}
            {{Image(Percentiles(result))}}
            <h2>Batches</h2>
            <p>Size of the batch in which each item ran.</p>
            {{Image(Batches(result))}}
            </body>
            </html>

            """;
    }

    private static Chart Latencies(LoadResult result)
    {
        // The slowest hundredth would put all other items in one bin.
        var max = Math.Max(result.Latency(0.99), 1e-3);
        var counts = new long[Bins];
        foreach (var latency in result.Latencies.Where(latency => latency <= max))
        {
            counts[Math.Min((int)(latency / max * Bins), Bins - 1)]++;
        }
        var points = counts.Select((count, i) => ((i + 1) * max / Bins, (double)count));
        return Chart.Bars("Responses by latency, up to p99", "ms", "responses", [.. points]);
    }

    private static Chart Percentiles(LoadResult result)
    {
        var points = Enumerable.Range(0, 100).Select(percent => ((double)percent, result.Latency(percent / 100.0)));
        return Chart.Lines("Latency by percentile", "percentile", "ms", logX: false, new Series("", [.. points]));
    }

    private static Chart Batches(LoadResult result)
    {
        var points = result.Batches.Select(batch => ((double)batch.Key, (double)batch.Value));
        return Chart.Bars("Items by batch size", "items in the batch", "items", [.. points]);
    }

    // As an image of its own: SVG within HTML would share its ids with the other charts.
    private static string Image(Chart chart) =>
        $"""<img alt="" src="data:image/svg+xml;base64,{Convert.ToBase64String(Encoding.UTF8.GetBytes(chart.ToSvg()))}">""";

    private static string Table(IEnumerable<(string Name, string Value)> rows)
    {
        var lines = rows.Select(row =>
            $"<tr><th>{WebUtility.HtmlEncode(row.Name)}</th><td>{WebUtility.HtmlEncode(row.Value)}</td></tr>\n");
        return $"<table>\n{string.Concat(lines)}</table>";
    }
}
