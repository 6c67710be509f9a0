using Embeddings.Benchmarks.Comparisons;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Storage;
using Embeddings.Storage.Sqlite;
using Embeddings.Tooling.Charts;

namespace Embeddings.Benchmarks.Curves;

/// <summary>A search with a filter in the embedded store, against the number of points that match it.</summary>
internal static class FiltersCurve
{
    private const int Searches = 30;

    public static async Task RunAsync(BenchSettings settings)
    {
        var count = settings.Count(1_000_000, 50_000);
        await using var store = await FilteredSearch.FilledAsync(settings.Scratch("filters"), count);
        await store.SetIndexedAttributesAsync(Search.Collection, [new("rank", AttributeType.Number)], [], CancellationToken.None);
        var (indexed, plain) = (new List<(double X, double Y)>(), new List<(double X, double Y)>());
        for (var matches = 10; matches <= count; matches *= 10)
        {
            foreach (var part in (double[])[1, 2, 5])
            {
                if (matches * part > count)
                {
                    continue;
                }
                var filter = new PointFilter { Attributes = [new AttributeCondition("rank", Range: new NumericRange(null, null, matches * part, null))] };
                var found = await store.CountAsync(Search.Collection, filter, CancellationToken.None);
                indexed.Add((found, await MedianAsync(store, filter)));
                plain.Add((found, await MedianAsync(store, PointFilter.All)));
                Console.WriteLine(FormattableString.Invariant($"{found:N0} of {count:N0} points match: {indexed[^1].Y:0.00} ms, all {plain[^1].Y:0.00} ms"));
            }
        }
        await CurvesRun.WriteAsync(settings, "filters.svg", Chart.Lines(
            $"One exact search over {count:N0} points with a filter on an indexed attribute", "points that match", "ms", logX: true,
            new Series("with the filter", indexed), new Series("without a filter", plain)));
    }

    private static async Task<double> MedianAsync(EmbeddedVectorStore store, PointFilter filter)
    {
        var times = new List<double>();
        for (var i = 0; i < Searches; i++)
        {
            VectorQuery[] query = [new(Points.Vector(-i - 10))];
            times.Add(await Clock.TimeAsync(() => store.SearchAsync(Search.Collection, query, new SearchSpec { Filter = filter }, CancellationToken.None)));
        }
        return 1000 * Spread.MedianOf(times);
    }
}
