using System.Diagnostics;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.Processes;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>
/// The latency of one caller while another floods the server, against that without the flood (P12), and against that of a call on
/// the connection of the flood, which waits behind it (P12b).
/// </summary>
internal static class Fairness
{
    private const int Streams = 4;

    public static async Task<IReadOnlyList<Outcome>> RunAsync(BenchSettings settings)
    {
        var model = BenchModel.MobileFaceNet(settings.Directory);
        var inFlight = settings.Count(64, 16);
        using var server = await GrpcProcess.ServerAsync(settings.Scratch("fairness"), [model]);
        using var flood = ServedModel.Of(server, BenchImages.Crops(model), Streams, inFlight);
        // Another client: callers without names are told apart by their connections.
        using var caller = new EmbeddingsClient(new EmbeddingsClientOptions { Addresses = [server.Address] });
        var request = new EmbedFaceRequest { Face = BenchImages.Crop(model, 1) };
        var (alone, flooded, behind) = (new List<double>(), new List<double>(), new List<double>());
        var batches = new List<double>();

        Task<double> Alone() => LatenciesAsync(caller, alone, settings.Turn);

        Task<double> Flooded() => FloodedAsync(caller, flooded);

        Task<double> Behind() => FloodedAsync(flood.Client, behind);

        async Task<double> FloodedAsync(EmbeddingsClient client, List<double> all)
        {
            // The flood begins before and ends after the calls.
            var flooding = flood.StreamAsync(settings.Turn * 2);
            await Task.Delay(settings.Turn / 2);
            var median = await LatenciesAsync(client, all, settings.Turn);
            var load = await flooding;
            batches.Add(1000 * load.MeanBatch / load.Rate);
            return median;
        }

        async Task<double> LatenciesAsync(EmbeddingsClient client, List<double> all, TimeSpan about)
        {
            var turn = new List<double>();
            var began = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(began) < about)
            {
                var sent = Stopwatch.GetTimestamp();
                await client.EmbedFaceAsync(request);
                turn.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
            }
            all.AddRange(turn);
            return Spread.MedianOf(turn);
        }

        await Flooded();
        var pairs = await Pairs.MeasureAsync(settings.Pairs, Flooded, Alone);
        var turns = await Pairs.MeasureAsync(settings.Pairs, Flooded, Behind);
        return
        [
            new Outcome
            {
                Id = "P12",
                What = $"EmbedFace by one caller after the other while another caller floods the server with {Streams * inFlight} crops in flight "
                    + $"(a batch of it takes {Spread.MedianOf(batches):0.0} ms), over the same without the flood",
                Ours = Text(flooded),
                Reference = Text(alone),
                Ratio = pairs.Ratio,
                Pairs = pairs.Count,
            },
            new Outcome
            {
                Id = "P12b",
                What = "the same under the flood, over calls on the connection of the flood",
                Ours = Text(flooded),
                Reference = Text(behind),
                Ratio = turns.Ratio,
                Pairs = turns.Count,
            },
        ];
    }

    private static string Text(List<double> latencies)
    {
        double[] sorted = [.. latencies.Order()];
        return $"median {Spread.At(sorted, 0.5):0.0} ms, p99 {Spread.At(sorted, 0.99):0.0} ms";
    }
}
