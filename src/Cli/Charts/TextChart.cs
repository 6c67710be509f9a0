using System.Globalization;

namespace Embeddings.Cli.Charts;

/// <summary>A histogram for a terminal: a line a bin, different pairs to the left in light, same ones in dark.</summary>
internal static class TextChart
{
    private const int Width = 40;

    public static IEnumerable<string> Lines(Histogram histogram, double threshold)
    {
        var bins = histogram.Same.Count;
        yield return $"{"cosine",8}  {"different",-Width}  same";
        var marked = (int)(histogram.At(threshold) * bins);
        for (var bin = 0; bin < bins; bin++)
        {
            var from = histogram.Low + ((histogram.High - histogram.Low) * bin / bins);
            var line = $"{from.ToString("0.000", CultureInfo.InvariantCulture),8}  {Bar(histogram.Different[bin], '░', histogram.Highest),-Width}  "
                + Bar(histogram.Same[bin], '█', histogram.Highest);
            yield return bin == Math.Min(marked, bins - 1) ? $"{line.TrimEnd()}  <- threshold {threshold.ToString("0.000", CultureInfo.InvariantCulture)}" : line.TrimEnd();
        }
    }

    // What is there shows, however little it is.
    private static string Bar(double share, char mark, double highest) => new(mark, share <= 0 ? 0 : Math.Max(1, (int)Math.Round(share / highest * Width)));
}
