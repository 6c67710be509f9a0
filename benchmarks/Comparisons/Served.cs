using System.Diagnostics;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.References;
using Embeddings.V1;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>Streams through the service: against ONNX Runtime alone (P1, P1b) and against gRPC alone (P2, CPU).</summary>
internal static class Served
{
    private const int Streams = 4;

    public static Task<IReadOnlyList<Outcome>> FaceCropsAsync(BenchSettings settings)
    {
        var model = BenchModel.MobileFaceNet(settings.Directory);
        return AgainstBareAsync(
            settings,
            model,
            BenchImages.Crops(model),
            Streams,
            8,
            32,
            "P1",
            "StreamEmbed of raw 112x112 crops, mobilefacenet, over a bare loop",
            Goal.OrMore(0.95));
    }

    public static Task<IReadOnlyList<Outcome>> JpegsAsync(BenchSettings settings) => AgainstBareAsync(
        settings,
        BenchModel.ResNet18(settings.Directory),
        BenchImages.Jpegs(16),
        2,
        settings.Count(24, 4),
        4,
        "P1b",
        "StreamEmbed of JPEG 640x480, resnet18, over a bare loop fed with tensors",
        Goal.OrMore(0.90));

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

    private static async Task<IReadOnlyList<Outcome>> AgainstBareAsync(
        BenchSettings settings,
        BenchModel model,
        IReadOnlyList<StreamEmbedRequest> requests,
        int streams,
        int inFlight,
        int largestQuick,
        string id,
        string what,
        Goal goal)
    {
        using var served = await ServedModel.StartAsync(settings, model, requests, streams, inFlight);
        using var bare = new BareModel(model, requests);
        bare.FindBest(settings.Turn / 5, settings.Count(3, 2), settings.Count(64, largestQuick));

        // The same number of items on both sides, so that other load of the machine affects both equally; and many times the items in flight, because the
        // beginning and the end of a stream run in small batches.
        var items = Math.Max((int)(bare.Rate(settings.Turn) * settings.Turn.TotalSeconds * settings.Count(3, 1)), settings.Count(10, 2) * streams * inFlight);
        await served.StreamAsync(settings.Turn * 2);
        var pairs = await Pairs.MeasureAsync(
            settings.Pairs,
            async () => (await served.StreamAsync(items)).Rate,
            () => Task.FromResult(bare.Rate(items)));
        return [Rates(id, $"{what} at its best ({bare.Best})", goal, pairs)];
    }

    private static Outcome Rates(string id, string what, Goal goal, Pairs pairs) => new()
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
