using System.Globalization;
using System.Net;
using System.Text;

namespace Embeddings.Cli.Benching;

/// <summary>A load's result as one HTML page that needs nothing beside it.</summary>
internal static class BenchReport
{
    private const int Buckets = 40;

    /// <param name="setting">What was sent where: names and values.</param>
    /// <param name="result">What came back.</param>
    /// <param name="madeAt">When.</param>
    public static string Html(IReadOnlyList<(string Name, string Value)> setting, LoadResult result, DateTimeOffset madeAt)
    {
        var html = new StringBuilder(
            """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <title>Embeddings: load report</title>
            <style>
            body { font-family: sans-serif; margin: 2em auto; max-width: 50em; color: #222; background: #fff; }
            table { border-collapse: collapse; margin: 1em 0; }
            td, th { text-align: left; padding: 0.2em 1.5em 0.2em 0; border-bottom: 1px solid #ddd; }
            svg { max-width: 100%; height: auto; }
            </style>
            </head>
            <body>
            <h1>Load report</h1>

            """);
        Table(html, [.. setting, ("made", madeAt.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture))]);
        html.Append("<h2>Result</h2>\n");
        Table(html, BenchText.Lines(result));
        html.Append("<h2>Latency</h2>\n<p>From handing an item over until its answer, waiting for its turn in the stream included.</p>\n");
        html.Append(Histogram(result)).Append(Percentiles(result));
        html.Append("<h2>Batches</h2>\n<p>How large the runs were that the items were in.</p>\n").Append(Batches(result));
        return html.Append("</body>\n</html>\n").ToString();
    }

    private static string Histogram(LoadResult result)
    {
        // The slowest hundredth would squeeze all others into one column.
        var most = Math.Max(result.Latency(0.99), 1e-3);
        var counts = new long[Buckets];
        foreach (var latency in result.Latencies)
        {
            if (latency <= most)
            {
                counts[Math.Min((int)(latency / most * Buckets), Buckets - 1)]++;
            }
        }
        var points = counts.Select((count, i) => (Math.Round((i + 1) * most / Buckets, 2), (double)count));
        return new SvgPlot { Title = "Answers by latency, up to p99", XLabel = "ms", YLabel = "answers", Bars = true, Series = [new("", [.. points])] }.Draw();
    }

    private static string Percentiles(LoadResult result)
    {
        var points = Enumerable.Range(0, 100).Select(percent => ((double)percent, result.Latency(percent / 100.0)));
        return new SvgPlot { Title = "Latency by percentile", XLabel = "percentile", YLabel = "ms", Series = [new("", [.. points])] }.Draw();
    }

    private static string Batches(LoadResult result) => new SvgPlot
    {
        Title = "Items by size of their batch",
        XLabel = "items in the batch",
        YLabel = "items",
        Bars = true,
        Series = [new("", [.. result.Batches.Select(static batch => ((double)batch.Key, (double)batch.Value))])],
    }.Draw();

    private static void Table(StringBuilder html, IReadOnlyList<(string Name, string Value)> rows)
    {
        html.Append("<table>\n");
        foreach (var (name, value) in rows)
        {
            html.Append(CultureInfo.InvariantCulture, $"<tr><th>{WebUtility.HtmlEncode(name)}</th><td>{WebUtility.HtmlEncode(value)}</td></tr>\n");
        }
        html.Append("</table>\n");
    }
}
