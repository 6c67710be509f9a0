using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.Processes;
using Embeddings.V1;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>A server with TLS and an API key, against one without (P10): the loads of P1 to P3, two servers in turn.</summary>
internal static class Secured
{
    private const int Streams = 4;

    public static async Task<IReadOnlyList<Outcome>> RunAsync(BenchSettings settings)
    {
        var faces = BenchModel.MobileFaceNet(settings.Directory);
        var free = BenchModel.Free(settings.Directory);
        return
        [
            await StreamsAsync(settings, faces, 8, "P10", "P1 with TLS and an API key, over P1 without", Goal.OrMore(0.93)),
            await StreamsAsync(settings, BenchModel.ResNet18(settings.Directory), settings.Count(24, 4), "P10b", "P1b with both, over P1b without", null),
            await StreamsAsync(settings, free, 256, "P10free", "P2 with both, over P2 without", null),
            await CallsAsync(settings, faces),
        ];
    }

    private static async Task<Outcome> StreamsAsync(BenchSettings settings, BenchModel model, int inFlight, string id, string what, Goal? goal)
    {
        var requests = model.Manifest.Name == BenchModel.ResNet18(settings.Directory).Manifest.Name ? BenchImages.Requests(BenchImages.Jpegs(16)) : BenchImages.Crops(model);
        using var secured = await StartAsync(settings, model, requests, Streams, inFlight);
        using var plain = await ServedModel.StartAsync(settings, model, requests, Streams, inFlight);
        // Both find their batch sizes, and their code is compiled.
        await secured.StreamAsync(settings.Turn * 3);
        await plain.StreamAsync(settings.Turn * 3);
        var pairs = await Pairs.MeasureAsync(
            settings.Pairs,
            async () => (await secured.StreamAsync(settings.Turn)).Rate,
            async () => (await plain.StreamAsync(settings.Turn)).Rate);
        return Outcome(id, what, pairs, "items/s", pairs.Ratio, goal);
    }

    private static async Task<Outcome> CallsAsync(BenchSettings settings, BenchModel model)
    {
        var crops = BenchImages.Crops(model);
        using var secured = await StartAsync(settings, model, crops, 1, 1);
        using var plain = await ServedModel.StartAsync(settings, model, crops, 1, 1);
        var request = new EmbedFaceRequest { Face = BenchImages.Crop(model, 1) };
        var calls = settings.Count(60, 15);

        async Task<double> MedianAsync(ServedModel served)
        {
            var times = new List<double>();
            for (var i = 0; i < calls; i++)
            {
                times.Add(1000 * await Clock.TimeAsync(() => served.Client.EmbedFaceAsync(request)));
            }
            return Spread.MedianOf(times);
        }

        for (var i = 0; i < settings.Count(15, 3); i++)
        {
            await MedianAsync(secured);
            await MedianAsync(plain);
        }
        var pairs = await Pairs.MeasureAsync(settings.Pairs, () => MedianAsync(secured), () => MedianAsync(plain));
        return Outcome("P10call", $"one EmbedFace at a time with both: latency minus that without, medians of {calls}", pairs, "ms", pairs.Difference, null);
    }

    private static async Task<ServedModel> StartAsync(
        BenchSettings settings, BenchModel model, IReadOnlyList<StreamEmbedRequest> requests, int streams, int inFlight) =>
        await ServedModel.StartAsync(settings, model, requests, streams, inFlight, new ServerSecurity(settings.Scratch("security")));

    private static Outcome Outcome(string id, string what, Pairs pairs, string unit, Spread ratio, Goal? goal) => new()
    {
        Id = id,
        What = what,
        Ours = $"{Spread.MedianOf(pairs.Ours):N2} {unit}",
        Reference = $"{Spread.MedianOf(pairs.Reference):N2} {unit}",
        Ratio = ratio,
        Goal = goal,
        Pairs = pairs.Count,
    };
}
