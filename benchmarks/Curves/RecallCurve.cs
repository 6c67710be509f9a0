using Embeddings.Benchmarks.Comparisons;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Storage;
using Embeddings.Tooling.Charts;

namespace Embeddings.Benchmarks.Curves;

/// <summary>The recall of the approximate index of the embedded store against the time of a search, by the number of candidates (<c>hnsw_ef</c>).</summary>
internal static class RecallCurve
{
    private static readonly int[] Candidates = [16, 32, 64, 128, 256, 512, 1024];

    public static async Task RunAsync(BenchSettings settings)
    {
        var (count, queries) = (settings.Count(1_000_000, 30_000), settings.Count(300, 50));
        var points = new ClusteredPoints(count);
        await using var store = await ApproximateSearch.StartedAsync(settings.Scratch("recall"), withIndex: true);
        Console.WriteLine(FormattableString.Invariant($"graph: {await ApproximateSearch.FillAsync(store, points, count):N0} s after the last point"));
        var nearest = new List<HashSet<string>>();
        var exact = await TimeAsync(new SearchSpec(), (_, ids) => nearest.Add([.. ids]));
        Console.WriteLine(FormattableString.Invariant($"exact: {exact:0.00} ms"));
        var curve = new List<(double X, double Y)>();
        foreach (var candidates in Candidates)
        {
            var found = 0;
            var time = await TimeAsync(new SearchSpec { Exact = false, HnswEf = candidates }, (i, ids) => found += ids.Count(nearest[i].Contains));
            curve.Add((time, (double)found / nearest.Sum(static ids => ids.Count)));
            Console.WriteLine(FormattableString.Invariant($"{candidates} candidates: recall {curve[^1].Y:0.000}, {time:0.00} ms"));
        }
        await CurvesRun.WriteAsync(settings, "recall.svg", Chart.Lines(
            $"Approximate search, {count:N0} clustered points of {Points.Dimension} dimensions: {Candidates[0]} to {Candidates[^1]:N0} candidates",
            "ms per search, median", "recall of the 10 nearest", logX: false, new Series("", curve)));

        // The median in milliseconds.
        async Task<double> TimeAsync(SearchSpec spec, Action<int, IEnumerable<string>> use)
        {
            var times = new List<double>();
            for (var i = 0; i < queries; i++)
            {
                VectorQuery[] query = [new(points.Vector(count + i))];
                IReadOnlyList<IReadOnlyList<ScoredStoredPoint>> hits = [];
                times.Add(await Clock.TimeAsync(async () => hits = await store.SearchAsync(ApproximateSearch.Collection, query, spec, CancellationToken.None)));
                use(i, hits[0].Select(static hit => hit.Point.Id));
            }
            return 1000 * Spread.MedianOf(times);
        }
    }
}
