using Embeddings.Benchmarks.Comparisons;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.Processes;
using Embeddings.Tooling.Charts;
using DecodeMode = Embeddings.Core.Models.DecodeMode;

namespace Embeddings.Benchmarks.Curves;

/// <summary>JPEG files per second against their size, decoded at a reduced scale and at full size.</summary>
internal static class ImagesCurve
{
    private const int Streams = 2;
    private const int InFlight = 8;
    private const int Files = 4;

    private static readonly (int Width, int Height)[] Sizes = [(320, 240), (640, 480), (1280, 960), (1920, 1440), (2560, 1920), (4000, 3000)];

    public static async Task RunAsync(BenchSettings settings)
    {
        var model = BenchModel.ResNet18(settings.Directory);
        using var scaledServer = await GrpcProcess.ServerAsync(settings.Scratch("images-scaled"), [model.WithDecode(settings.Directory, DecodeMode.Scaled)]);
        using var fullServer = await GrpcProcess.ServerAsync(settings.Scratch("images-full"), [model.WithDecode(settings.Directory, DecodeMode.Full)]);
        var (scaled, full) = (new List<(double, double)>(), new List<(double, double)>());
        // The second of the sizes is there to warm up.
        foreach (var ((width, height), isMeasured) in Sizes.Select(static size => (size, true)).Prepend((Sizes[1], false)))
        {
            var requests = BenchImages.Requests(BenchImages.Jpegs(Files, width, height));
            using var scaledClient = ServedModel.Of(scaledServer, requests, Streams, InFlight);
            using var fullClient = ServedModel.Of(fullServer, requests, Streams, InFlight);
            await scaledClient.StreamAsync(settings.Turn);
            await fullClient.StreamAsync(settings.Turn);
            var pairs = await Pairs.MeasureAsync(
                settings.Count(3, 1),
                async () => (await scaledClient.StreamAsync(settings.Turn * 2)).Rate,
                async () => (await fullClient.StreamAsync(settings.Turn * 2)).Rate);
            if (!isMeasured)
            {
                continue;
            }
            var megapixels = width * height / 1e6;
            scaled.Add((megapixels, Spread.MedianOf(pairs.Ours)));
            full.Add((megapixels, Spread.MedianOf(pairs.Reference)));
            Console.WriteLine(FormattableString.Invariant($"{width}x{height}: scaled {scaled[^1].Item2:0.0} images/s, full {full[^1].Item2:0.0} images/s"));
        }
        await CurvesRun.WriteAsync(settings, "image-sizes.svg", Chart.Lines(
            "JPEG files into resnet18 (224x224)", "megapixels", "images/s", logX: true,
            new Series("decode: scaled", scaled), new Series("decode: full", full)));
    }
}
