using Embeddings.Benchmarks.Comparisons;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.References;
using Embeddings.Tooling.Charts;

namespace Embeddings.Benchmarks.Curves;

/// <summary>Throughput and latency against 1 to 64 streams, each with one item on its way at a time.</summary>
internal static class StreamsCurve
{
    private static readonly int[] Streams = [1, 2, 4, 8, 16, 32, 64];

    public static async Task RunAsync(BenchSettings settings)
    {
        var model = BenchModel.MobileFaceNet(settings.Directory);
        using var bare = new BareModel(model, BenchImages.Crops(model));
        bare.FindBest(settings.Turn / 5, 2, 64);
        using var server = await Processes.GrpcProcess.ServerAsync(settings.Scratch("streams"), [model]);
        var (rates, bares, p50, p99) = (new List<(double, double)>(), new List<(double, double)>(), new List<(double, double)>(), new List<(double, double)>());
        foreach (var streams in Streams.Prepend(8))
        {
            using var served = ServedModel.Of(server, BenchImages.Crops(model), streams, inFlight: 1);
            var result = await served.StreamAsync(settings.Turn * 4);
            rates.Add((streams, result.Rate));
            // Next to each point, since the machine may be busier at one than at another.
            bares.Add((streams, bare.Rate(settings.Turn)));
            p50.Add((streams, result.Latency(0.5)));
            p99.Add((streams, result.Latency(0.99)));
            Console.WriteLine(FormattableString.Invariant($"{streams} streams: {result.Rate:N0} items/s, bare {bares[^1].Item2:N0}, ")
                + FormattableString.Invariant($"p50 {result.Latency(0.5):0.0} ms, p99 {result.Latency(0.99):0.0} ms, batch {result.MeanBatch:0.0}"));
        }
        await CurvesRun.WriteAsync(settings, "streams-throughput.svg", Chart.Lines(
            "Raw 112x112 crops, MobileFaceNet-sized model", "streams, one item in flight in each", "items/s", logX: true,
            new Series("served", Measured(rates)), new Series($"bare ONNX Runtime, batch {bare.BestBatch}", Measured(bares))));
        await CurvesRun.WriteAsync(settings, "streams-latency.svg", Chart.Lines(
            "Latency of raw 112x112 crops, MobileFaceNet-sized model", "streams, one item in flight in each", "ms", logX: true,
            new Series("p50", Measured(p50)), new Series("p99", Measured(p99))));
    }

    // The first was there to warm up.
    private static List<(double X, double Y)> Measured(List<(double X, double Y)> points) => points[1..];
}
