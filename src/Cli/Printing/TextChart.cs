using Embeddings.Tooling.Charts;

namespace Embeddings.Cli.Printing;

/// <summary>
/// A histogram for a terminal: one line per bin, with different pairs in a light and same pairs in a dark bar.
/// </summary>
internal static class TextChart
{
    private const int Width = 40;

    public static IEnumerable<string> Lines(CosineHistogram histogram, double threshold)
    {
        var bins = histogram.Same.Count;
        var highest = Math.Max(histogram.Same.Max(), histogram.Different.Max());
        yield return $"{"cosine",8}  {"different",-Width}  same";
        var marked = (int)(histogram.At(threshold) * bins);
        for (var bin = 0; bin < bins; bin++)
        {
            var from = histogram.Low + ((histogram.High - histogram.Low) * bin / bins);
            var different = Bar(histogram.Different[bin], '░', highest);
            var same = Bar(histogram.Same[bin], '█', highest);
            var mark = bin == Math.Min(marked, bins - 1) ? $"  <- threshold {threshold:0.000}" : "";
            yield return $"{from,8:0.000}  {different,-Width}  {same}".TrimEnd() + mark;
        }
    }

    // A bin that is not empty has a bar.
    private static string Bar(double share, char mark, double highest) =>
        new(mark, share <= 0 ? 0 : Math.Max(1, (int)Math.Round(share / highest * Width)));
}
