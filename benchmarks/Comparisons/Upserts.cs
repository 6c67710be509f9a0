using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.Processes;
using Embeddings.Benchmarks.References;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>
/// Durable points through the service, against SQLite alone with the same rows (P6); and through the store without a service, to tell them apart.
/// </summary>
internal static class Upserts
{
    public static async Task<IReadOnlyList<Outcome>> RunAsync(BenchSettings settings)
    {
        var count = settings.Count(20_000, 2000);
        using var server = await GrpcProcess.ServerAsync(settings.Scratch("upserts"), []);
        using var client = UpsertLoad.Connect(server.Address);
        await using var store = await Search.FilledAsync(settings.Scratch("upserts-store"), 0);
        using var bare = new BareSqlite(settings.Scratch("upserts-bare"));

        // Every turn brings points nobody has seen; all files grow alike.
        var (served, alone, plain) = (0, 0, 0);
        async Task<double> ServedAsync()
        {
            var requests = Points.Requests(Search.Collection, served, count);
            served += count;
            return await UpsertLoad.RateAsync(client, requests);
        }

        async Task<double> StoreAsync()
        {
            var points = Points.Stored(alone, count);
            alone += count;
            return count / await Clock.TimeAsync(async () =>
            {
                foreach (var group in points.Chunk(UpsertLoad.Streams * UpsertLoad.InFlight))
                {
                    await Task.WhenAll(group.Select(point => store.UpsertAsync(Search.Collection, [point], CancellationToken.None)));
                }
            });
        }

        double Bare()
        {
            var rows = bare.Prepare(Points.Stored(plain, count));
            plain += count;
            return count / Clock.Time(() => bare.Insert(rows));
        }

        // Code is compiled in tiers, the last of them in the background while the first turns run.
        for (var i = 0; i < settings.Count(12, 2); i++)
        {
            await ServedAsync();
            Bare();
        }
        var pairs = await Pairs.MeasureAsync(settings.Pairs, ServedAsync, () => Task.FromResult(Bare()));
        var storePairs = await Pairs.MeasureAsync(settings.Pairs, StoreAsync, () => Task.FromResult(Bare()));
        return
        [
            Rates("P6", $"StreamUpsertVectors into the embedded store, {count:N0} points per turn, over bare SQLite", Goal.OrMore(0.95), pairs),
            Rates("P6store", "the same points one by one into the store, without a service", null, storePairs),
        ];
    }

    public static Outcome Rates(string id, string what, Goal? goal, Pairs pairs) => new()
    {
        Id = id,
        What = what,
        Ours = $"{Spread.MedianOf(pairs.Ours):N0} points/s",
        Reference = $"{Spread.MedianOf(pairs.Reference):N0} points/s",
        Ratio = pairs.Ratio,
        Goal = goal,
        Pairs = pairs.Count,
    };
}
