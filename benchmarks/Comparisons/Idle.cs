using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.References;
using Embeddings.V1;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>One call at a time on an idle server, against the same run without a server (P3).</summary>
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
        return
        [
            new Outcome
            {
                Id = "P3",
                What = $"one EmbedFace at a time, mobilefacenet: latency minus that of a bare run, medians of {calls}",
                Ours = $"{Spread.MedianOf(pairs.Ours):0.00} ms",
                Reference = $"{Spread.MedianOf(pairs.Reference):0.00} ms",
                Ratio = pairs.Difference,
                Goal = Goal.OrLess(0.5, "ms"),
                Pairs = pairs.Count,
            },
        ];
    }
}
