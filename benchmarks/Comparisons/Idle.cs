using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.References;
using Embeddings.V1;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>
/// One call at a time on an idle server: what is left after subtracting the run of the model in that call and an empty call (P3), and against the same run
/// without a server (P3old).
/// </summary>
internal static class Idle
{
    public static async Task<IReadOnlyList<Outcome>> RunAsync(BenchSettings settings)
    {
        var model = BenchModel.MobileFaceNet(settings.Directory);
        using var served = await ServedModel.StartAsync(settings, model, BenchImages.Crops(model), 1, 1);
        using var bare = new BareModel(model, [new() { Face = BenchImages.Crop(model, 1) }]);
        bare.FindBest(settings.Turn / 5, 2, 1);
        var calls = settings.Count(60, 15);
        var request = new EmbedFaceRequest { Face = BenchImages.Crop(model, 1) };
        return [await LeftAsync(settings, served, request, calls), await OldAsync(settings, served, bare, request, calls)];
    }

    // The empty call is the least that the same server answers over the same connection, and it follows a run of the model as the other does: the run
    // evicts the code and data of gRPC from the caches.
    private static async Task<Outcome> LeftAsync(BenchSettings settings, ServedModel served, EmbedFaceRequest request, int calls)
    {
        var empty = new GetModelRequest { Name = served.Model };
        var (inCall, runs, empties) = (new List<double>(), new List<double>(), new List<double>());

        async Task<(double Call, double Run, double Empty)> TurnAsync()
        {
            var (all, run, nothing) = (new List<double>(), new List<double>(), new List<double>());
            for (var i = 0; i < calls; i++)
            {
                var inference = 0.0;
                all.Add(1000 * await Clock.TimeAsync(async () => inference = (await served.Client.EmbedFaceAsync(request)).Timings.InferenceUs / 1000.0));
                run.Add(inference);
                nothing.Add(1000 * await Clock.TimeAsync(() => served.Client.GetModelAsync(empty)));
            }
            // Call by call: the runs differ more than what is around them.
            return (Spread.MedianOf(all.Zip(run, static (call, inference) => call - inference)), Spread.MedianOf(run), Spread.MedianOf(nothing));
        }

        // Code is compiled in tiers, the last of them only after hundreds of calls.
        for (var i = 0; i < settings.Count(15, 6); i++)
        {
            await TurnAsync();
        }
        for (var i = 0; i < settings.Pairs; i++)
        {
            var turn = await TurnAsync();
            inCall.Add(turn.Call);
            runs.Add(turn.Run);
            empties.Add(turn.Empty);
        }
        return new Outcome
        {
            Id = "P3",
            What = $"one EmbedFace at a time, mobilefacenet: latency minus the model's run in that call and an empty call, medians of {calls}",
            Ours = $"{Spread.MedianOf(inCall):0.00} ms without the run",
            Reference = $"{Spread.MedianOf(empties):0.00} ms (the run: {Spread.MedianOf(runs):0.00} ms)",
            Ratio = new Pairs(inCall, empties).Difference,
            Goal = Goal.OrLess(0.5, "ms"),
            Pairs = settings.Pairs,
        };
    }

    private static async Task<Outcome> OldAsync(BenchSettings settings, ServedModel served, BareModel bare, EmbedFaceRequest request, int calls)
    {
        // Call and run take turns within a pair too: on a busy machine a minute is not like the next.
        var (served1, bare1) = (new List<double>(), new List<double>());
        async Task TurnAsync()
        {
            for (var i = 0; i < calls; i++)
            {
                served1.Add(1000 * await Clock.TimeAsync(() => served.Client.EmbedFaceAsync(request)));
                bare1.Add(1000 * Clock.Time(() => bare.Run(1)));
            }
        }

        double Median(List<double> times)
        {
            var median = Spread.MedianOf(times);
            times.Clear();
            return median;
        }

        // Code is compiled in tiers, the last of them only after hundreds of calls.
        for (var i = 0; i < settings.Count(15, 3); i++)
        {
            await TurnAsync();
        }
        (served1, bare1) = ([], []);
        var pairs = await Pairs.MeasureAsync(
            settings.Pairs,
            async () =>
            {
                await TurnAsync();
                return Median(served1);
            },
            () => Task.FromResult(Median(bare1)));
        return new Outcome
        {
            Id = "P3old",
            What = $"one EmbedFace at a time, mobilefacenet: latency minus that of a bare run, medians of {calls}",
            Ours = $"{Spread.MedianOf(pairs.Ours):0.00} ms",
            Reference = $"{Spread.MedianOf(pairs.Reference):0.00} ms",
            Ratio = pairs.Difference,
            Pairs = pairs.Count,
        };
    }
}
