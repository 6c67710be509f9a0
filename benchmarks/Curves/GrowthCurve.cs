using Embeddings.Benchmarks.Comparisons;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.Processes;
using Embeddings.Client;
using Embeddings.Tooling.Charts;
using Embeddings.V1;

namespace Embeddings.Benchmarks.Curves;

/// <summary>
/// One server with the embedded store while points are written over streams and searched at the same time, against the number of points; then its restarts,
/// after a stop and after a kill.
/// </summary>
internal static class GrowthCurve
{
    // Between two searches; without it, searches would take their share of the processors at every size.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    public static async Task RunAsync(BenchSettings settings)
    {
        var (count, step, turn) = (settings.Count(5_000_000, 40_000), settings.Count(500_000, 20_000), settings.Count(50_000, 10_000));
        var directory = settings.Scratch("growth");
        var (rates, p50, p99) = (new List<(double X, double Y)>(), new List<(double X, double Y)>(), new List<(double X, double Y)>());
        using (var server = await GrpcProcess.ServerAsync(directory, []))
        {
            using var upserts = UpsertLoad.Connect(server.Address);
            using var searches = UpsertLoad.Connect(server.Address);
            for (var filled = 0; filled < count;)
            {
                var (seconds, latencies, end) = (0.0, new List<double>(), filled + step);
                for (; filled < end; filled += turn)
                {
                    var requests = Points.Requests(Search.Collection, filled, turn);
                    var writing = Clock.TimeAsync(() => UpsertLoad.RateAsync(upserts, requests));
                    while (filled > 0 && !writing.IsCompleted)
                    {
                        latencies.Add(await SearchAsync(searches));
                        await Task.Delay(Pause);
                    }
                    seconds += await writing;
                }
                latencies.Sort();
                rates.Add((filled, step / seconds));
                p50.Add((filled, Spread.At([.. latencies], 0.5)));
                p99.Add((filled, Spread.At([.. latencies], 0.99)));
                Console.WriteLine(FormattableString.Invariant($"{filled:N0} points: {rates[^1].Y:N0} points/s, search p50 {p50[^1].Y:0.0} ms, ")
                    + FormattableString.Invariant($"p99 {p99[^1].Y:0.0} ms, {server.Memory / 1e6:N0} MB resident"));
            }
            await WriteAndKillAsync(server, upserts, count, turn);
        }
        foreach (var before in (string[])["a kill while points were written", "a stop"])
        {
            using var again = await GrpcProcess.ServerAsync(directory, []);
            using var client = UpsertLoad.Connect(again.Address);
            var first = await SearchAsync(client);
            var stored = (await client.CountVectorsAsync(new() { Collection = Search.Collection })).Count;
            Console.WriteLine(FormattableString.Invariant($"restart after {before}: {again.Startup.TotalSeconds:0.0} s until SERVING, {stored:N0} points, ")
                + FormattableString.Invariant($"first search {first:0.0} ms, {again.Memory / 1e6:N0} MB resident; ")
                + FormattableString.Invariant($"stop: {await Clock.TimeAsync(again.StopAsync):0.0} s"));
        }
        await CurvesRun.WriteAsync(settings, "growth-ingest.svg", Chart.Lines(
            "Points written over gRPC while the collection is searched", "points", "points/s", logX: false, new Series("durable points per second", rates)));
        await CurvesRun.WriteAsync(settings, "growth-search.svg", Chart.Lines(
            "Exact searches over gRPC while points are written", "points", "ms", logX: false, new Series("p50", p50), new Series("p99", p99)));
    }

    // Milliseconds.
    private static async Task<double> SearchAsync(EmbeddingsClient client)
    {
        var seconds = await Clock.TimeAsync(async () =>
        {
            var found = await client.SearchVectorsAsync(Search.Collection, Points.Vector(-1), limit: 10);
            if (found.Count != 10)
            {
                throw new BenchException($"a search found {found.Count} points");
            }
        });
        return 1000 * seconds;
    }

    private static async Task WriteAndKillAsync(GrpcProcess server, EmbeddingsClient client, int first, int count)
    {
        var requests = Points.Requests(Search.Collection, first, count);
        var writing = UpsertLoad.RateAsync(client, requests);
        await Task.Delay(TimeSpan.FromSeconds(0.3));
        server.Kill();
        try
        {
            await writing;
        }
        catch (EmbeddingsException)
        {
            // The server is gone.
        }
    }
}
