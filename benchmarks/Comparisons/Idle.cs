using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.References;
using Embeddings.V1;
using Grpc.Health.V1;
using Grpc.Net.Client;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>
/// One call at a time on an idle server: what is left after subtracting an empty call and the run of the model in that call (P3), and against the same run
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
        var c = GrpcChannel.ForAddress(served.Server.Address);
        var h = new Health.HealthClient(c);
        var m = new ModelService.ModelServiceClient(c);
        for (var round = 0; round < 6; round++)
        {
            var t = new List<double>[7];
            for (var i = 0; i < 7; i++) { t[i] = []; }
            for (var i = 0; i < 300; i++)
            {
                double us = 0;
                t[0].Add(1000 * await Clock.TimeAsync(async () => us = (await served.Client.EmbedFaceAsync(request)).Timings.InferenceUs));
                t[1].Add(us / 1000);
                t[2].Add(1000 * await Clock.TimeAsync(async () => await h.CheckAsync(new())));
                await served.Client.EmbedFaceAsync(request);
                t[3].Add(1000 * await Clock.TimeAsync(async () => await m.GetModelAsync(new() { Name = "mobilefacenet" })));
                await served.Client.EmbedFaceAsync(request);
                t[4].Add(1000 * await Clock.TimeAsync(async () => await served.Client.GetModelAsync(new() { Name = "mobilefacenet" })));
                t[5].Add(1000 * await Clock.TimeAsync(async () => await m.GetModelAsync(new() { Name = "mobilefacenet" })));
                t[6].Add(1000 * Clock.Time(() => bare.Run(1)));
            }
            Console.WriteLine("embed, inf, health, getmodel raw, getmodel client, again raw, bare: " + string.Join(" ", t.Select(x => $"{Spread.MedianOf(x):0.000}")));
        }
        return [];
    }
}
