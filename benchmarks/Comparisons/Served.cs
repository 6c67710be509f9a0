using System.Diagnostics;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.References;
using Embeddings.Core;
using Embeddings.Core.Imaging;
using Embeddings.Core.Models;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>
/// Streams through the service: against ONNX Runtime alone (P1), against the program that a user would write instead (P1b), and
/// against gRPC alone (P2, CPU).
/// </summary>
internal static class Served
{
    private const int Streams = 4;

    public static async Task<IReadOnlyList<Outcome>> FaceCropsAsync(BenchSettings settings)
    {
        const int InFlight = 8;
        var model = BenchModel.MobileFaceNet(settings.Directory);
        var crops = BenchImages.Crops(model);
        using var served = await ServedModel.StartAsync(settings, model, crops, Streams, InFlight);
        using var bare = new BareModel(model, crops);
        bare.FindBest(settings.Turn / 5, settings.Count(3, 2), settings.Count(64, 32));
        var items = Items(settings, bare.Rate(settings.Turn), Streams * InFlight);
        await served.StreamAsync(settings.Turn * 2);
        var pairs = await Pairs.MeasureAsync(
            settings.Pairs,
            async () => (await served.StreamAsync(items)).Rate,
            () => Task.FromResult(bare.Rate(items)));
        return [Rates("P1", $"StreamEmbed of raw 112x112 crops, mobilefacenet, over a bare loop at its best ({bare.Best})", Goal.OrMore(0.95), pairs)];
    }

    public static async Task<IReadOnlyList<Outcome>> JpegsAsync(BenchSettings settings)
    {
        const int JpegStreams = 2;
        var inFlight = settings.Count(24, 4);
        var model = BenchModel.ResNet18(settings.Directory);
        var files = BenchImages.Jpegs(16);
        var requests = BenchImages.Requests(files);
        using var served = await ServedModel.StartAsync(settings, model, requests, JpegStreams, inFlight);
        using var pipeline = new BarePipeline(model, files);
        using var bare = new BareModel(model, requests);
        pipeline.FindBest(settings.Count(96, 8), settings.Count(32, 4));
        bare.FindBest(settings.Turn / 5, settings.Count(3, 2), settings.Count(64, 4));
        var items = Items(settings, bare.Rate(settings.Turn), JpegStreams * inFlight);
        await served.StreamAsync(settings.Turn * 2);
        var fed = new List<double>();
        var pairs = await Pairs.MeasureAsync(
            settings.Pairs,
            async () => (await served.StreamAsync(items)).Rate,
            () =>
            {
                fed.Add(bare.Rate(items));
                return Task.FromResult(pipeline.Rate(items));
            });
        const string What = "StreamEmbed of JPEG 640x480, resnet18";
        return
        [
            Rates("P1b", $"{What}, over a pipeline of libvips and a bare session at its best ({pipeline.Best})", Goal.OrMore(1.0), pairs),
            Rates(
                "P1b0",
                $"{What}, over a bare loop fed with tensors at its best ({bare.Best}); the former P1b, for comparison",
                goal: null,
                new Pairs(pairs.Ours, [.. fed.TakeLast(pairs.Count)])),
        ];
    }

    /// <summary>Photos of phones, decoded at a reduced size and at full size by two models of one server (P1d).</summary>
    public static async Task<IReadOnlyList<Outcome>> PhoneAsync(BenchSettings settings)
    {
        const int PhoneStreams = 2;
        const int InFlight = 4;
        var scaled = BenchModel.ResNet18(settings.Directory);
        var full = scaled.WithDecode(settings.Directory, DecodeMode.Full);
        var files = BenchImages.Phone(4);
        using var server = await Processes.GrpcProcess.ServerAsync(settings.Scratch("phone"), [scaled, full]);
        using var ours = ServedModel.Of(server, BenchImages.Requests(files, scaled.Manifest.Name), PhoneStreams, InFlight);
        using var reference = ServedModel.Of(server, BenchImages.Requests(files, full.Manifest.Name), PhoneStreams, InFlight);
        var items = settings.Count(96, 16);
        await ours.StreamAsync(items);
        await reference.StreamAsync(items);
        var pairs = await Pairs.MeasureAsync(
            settings.Pairs, async () => (await ours.StreamAsync(items)).Rate, async () => (await reference.StreamAsync(items)).Rate);
        var levels = Spread.Of(files.Select(file => Difference(file, scaled.Manifest.Input, full.Manifest.Input)));
        return
        [
            Rates("P1d", "StreamEmbed of JPEG of 12 megapixels, resnet18, decoded at a reduced size over the same at full size", Goal.OrMore(2.5), pairs),
            new Outcome
            {
                Id = "P1dx",
                What = "mean difference of the tensors of P1d, of 255 levels",
                Ours = "reduced size",
                Reference = "full size",
                Ratio = levels,
                Goal = Goal.OrLess(0.3),
                Pairs = files.Count,
            },
        ];
    }

    public static async Task<IReadOnlyList<Outcome>> FreeAsync(BenchSettings settings)
    {
        const int Batched = 16;
        var model = BenchModel.Free(settings.Directory);
        var crops = BenchImages.Crops(model);
        using var server = await Processes.GrpcProcess.ServerAsync(settings.Scratch(model.Manifest.Name), [model]);
        using var batched = ServedModel.Of(server, crops, Streams, 256, Batched);
        using var single = ServedModel.Of(server, crops, Streams, 256, 1);
        using var bare = new BareModel(model, crops);
        using var echo = await Processes.GrpcProcess.EchoAsync();
        using var echoLoad = new EchoLoad(echo.Address, Streams);

        async Task<double> OursAsync(ServedModel served, List<double> cpu)
        {
            var before = OwnCpu() + server.Cpu;
            var result = await served.StreamAsync(settings.Turn);
            var spent = (OwnCpu() + server.Cpu - before).TotalMicroseconds / result.Embedded;
            cpu.Add(spent - InferenceCpu(bare, (int)Math.Round(result.MeanBatch)));
            return result.Rate;
        }

        async Task<double> EchoAsync(List<double> cpu)
        {
            var before = OwnCpu() + echo.Cpu;
            var (items, seconds) = await echoLoad.RunAsync(crops, settings.Turn);
            cpu.Add((OwnCpu() + echo.Cpu - before).TotalMicroseconds / items);
            return items / seconds;
        }

        async Task<(Pairs Rates, Pairs Cpu)> AgainstEchoAsync(ServedModel served)
        {
            var (ours, reference) = (new List<double>(), new List<double>());
            // The code of both sides is compiled in tiers, the last of them after thousands of items.
            await served.StreamAsync(settings.Count(50_000, 6000));
            await echoLoad.RunAsync(crops, settings.Count(50_000, 6000));
            var pairs = await Pairs.MeasureAsync(settings.Pairs, () => OursAsync(served, ours), () => EchoAsync(reference));
            return (pairs, new([.. ours.TakeLast(pairs.Count)], [.. reference.TakeLast(pairs.Count)]));
        }

        var inBatches = await AgainstEchoAsync(batched);
        var one = await AgainstEchoAsync(single);
        const string Echo = "over a bare gRPC echo of the same bytes, one item per message";
        const string Cpu = "processor time per crop of client and server without inference, over that of the echo";
        return
        [
            Rates("P2", $"StreamEmbed of raw 112x112 crops in messages of {Batched} items, a model without cost, {Echo}", Goal.OrMore(1.5), inBatches.Rates),
            Cpus("CPU", $"{Cpu}, messages of {Batched} items", Goal.OrLess(0.6), inBatches.Cpu),
            Rates("P2one", $"the same with one item per message, {Echo}", Goal.OrMore(1), one.Rates),
            Cpus("CPUone", $"{Cpu}, one item per message", null, one.Cpu),
        ];
    }

    private static Outcome Cpus(string id, string what, Goal? goal, Pairs pairs) => new()
    {
        Id = id,
        What = what,
        Ours = $"{Spread.MedianOf(pairs.Ours):0.0} µs/item",
        Reference = $"{Spread.MedianOf(pairs.Reference):0.0} µs/item",
        Ratio = pairs.Ratio,
        Goal = goal,
        Pairs = pairs.Count,
    };

    // The same number of items on both sides, so that other load of the machine affects both equally; and many times the items in flight, because the
    // beginning and the end of a stream run in small batches.
    private static int Items(BenchSettings settings, double rate, int inFlight) =>
        Math.Max((int)(rate * settings.Turn.TotalSeconds * settings.Count(3, 1)), settings.Count(10, 2) * inFlight);

    private static double Difference(byte[] file, InputSpec one, InputSpec other)
    {
        var preprocessor = new Preprocessor(new ImagingOptions());
        var (a, b) = (Tensor(one), Tensor(other));
        return a.Zip(b, static (x, y) => Math.Abs(x - y)).Average();

        float[] Tensor(InputSpec spec)
        {
            // Of levels, not of the model's scale.
            spec = spec with { Mean = [0, 0, 0], Std = [1, 1, 1] };
            using var prepared = preprocessor.Prepare(ImageInput.FromFile(file), spec);
            var tensor = new float[spec.TensorLength];
            prepared.WriteTo(tensor, spec);
            return tensor;
        }
    }

    private static Outcome Rates(string id, string what, Goal? goal, Pairs pairs) => new()
    {
        Id = id,
        What = what,
        Ours = $"{Spread.MedianOf(pairs.Ours):N0} items/s",
        Reference = $"{Spread.MedianOf(pairs.Reference):N0} items/s",
        Ratio = pairs.Ratio,
        Goal = goal,
        Pairs = pairs.Count,
    };

    // Microseconds of processor time that one item takes in a bare run of such a batch.
    private static double InferenceCpu(BareModel bare, int batch)
    {
        const int Runs = 20;
        bare.Run(batch);
        var before = OwnCpu();
        for (var i = 0; i < Runs; i++)
        {
            bare.Run(batch);
        }
        return (OwnCpu() - before).TotalMicroseconds / (Runs * batch);
    }

    private static TimeSpan OwnCpu()
    {
        using var process = Process.GetCurrentProcess();
        return process.TotalProcessorTime;
    }
}
