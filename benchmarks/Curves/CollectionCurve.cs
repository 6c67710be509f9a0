using Embeddings.Benchmarks.Comparisons;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Server.Hosting;
using Embeddings.Storage;
using Embeddings.Storage.Sqlite;
using Embeddings.Tooling.Charts;

namespace Embeddings.Benchmarks.Curves;

/// <summary>Searches in the embedded store, and its memory, against the number of points.</summary>
internal static class CollectionCurve
{
    private const int Searches = 30;
    private const int Group = 2000;

    public static async Task RunAsync(BenchSettings settings)
    {
        int[] sizes = settings.Quick ? [1000, 10_000, 50_000] : [1000, 10_000, 100_000, 300_000, 1_000_000, 2_000_000, 5_000_000];
        var directory = settings.Scratch("collection");
        var store = await Search.FilledAsync(directory, 0);
        var (p50, p99, memory) = (new List<(double X, double Y)>(), new List<(double X, double Y)>(), new List<(double X, double Y)>());
        var (filled, empty) = (0, Megabytes());
        foreach (var size in sizes)
        {
            for (; filled < size; filled += Math.Min(Group, size - filled))
            {
                await store.UpsertAsync(Search.Collection, Points.Stored(filled, Math.Min(Group, size - filled)), CancellationToken.None);
            }
            var times = await TimesAsync(store);
            p50.Add((size, Spread.At(times, 0.5)));
            p99.Add((size, Spread.At(times, 0.99)));
            memory.Add((size, Megabytes() - empty));
            Console.WriteLine(FormattableString.Invariant($"{size:N0} points: p50 {p50[^1].Y:0.00} ms, p99 {p99[^1].Y:0.00} ms, {memory[^1].Y:N0} MB"));
        }
        await RestartAsync(store, directory, filled);
        await CurvesRun.WriteAsync(settings, "collection-latency.svg", Chart.Lines(
            $"One exact search in a collection of {Points.Dimension}-dimensional points", "points", "ms", logX: true, new Series("p50", p50), new Series("p99", p99)));
        await CurvesRun.WriteAsync(settings, "collection-memory.svg", Chart.Lines(
            $"Memory of a collection of {Points.Dimension}-dimensional points", "points", "MB", logX: false, new Series("resident, above the empty store", memory)));
    }

    // Once with the file of the index and once without.
    private static async Task RestartAsync(EmbeddedVectorStore store, string directory, int count)
    {
        Console.WriteLine(FormattableString.Invariant($"stop: {await Clock.TimeAsync(async () => await store.DisposeAsync()):0.0} s"));
        foreach (var hasFile in (bool[])[true, false])
        {
            foreach (var path in hasFile ? [] : System.IO.Directory.GetFiles(directory, "embeddings.index.*"))
            {
                File.Delete(path);
            }
            EmbeddedVectorStore? again = null;
            var start = await Clock.TimeAsync(async () => again = await Search.FilledAsync(directory, 0));
            Console.WriteLine(FormattableString.Invariant(
                $"restart with {count:N0} points {(hasFile ? "from the file of the index" : "from the database")}: {start:0.0} s, {Megabytes():N0} MB in all"));
            await again!.DisposeAsync();
        }
    }

    private static async Task<double[]> TimesAsync(EmbeddedVectorStore store)
    {
        var times = new double[Searches];
        for (var i = -3; i < Searches; i++)
        {
            VectorQuery[] query = [new(Points.Vector(-i - 10))];
            var seconds = await Clock.TimeAsync(() => store.SearchAsync(Search.Collection, query, new SearchSpec(), CancellationToken.None));
            times[Math.Max(i, 0)] = 1000 * seconds;
        }
        Array.Sort(times);
        return times;
    }

    // Without what was thrown away while filling.
    private static double Megabytes()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        return process.WorkingSet64 / 1e6;
    }
}
