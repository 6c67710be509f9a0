using Embeddings.Benchmarks.Comparisons;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.Processes;
using Embeddings.Benchmarks.References;
using Embeddings.Tooling.Charts;

namespace Embeddings.Benchmarks.Curves;

/// <summary>Throughput against the number of items in a message: crops for the model without cost, and points for the embedded store.</summary>
internal static class MessagesCurve
{
    private const int Streams = 4;

    // Four times the largest message: at most a quarter of the items in flight are in one.
    private const int InFlight = 1024;

    private static readonly int[] Sizes = [1, 4, 16, 64, 256];

    public static async Task RunAsync(BenchSettings settings)
    {
        var model = BenchModel.Free(settings.Directory);
        var crops = BenchImages.Crops(model);
        using var server = await GrpcProcess.ServerAsync(settings.Scratch("messages"), [model]);
        using var echo = await GrpcProcess.EchoAsync();
        using var echoLoad = new EchoLoad(echo.Address, Streams);
        var (embedded, echoed, stored) = (new List<(double, double)>(), new List<(double, double)>(), new List<(double, double)>());
        var count = settings.Count(20_000, 2000);
        // The first two are there to warm up.
        foreach (var (size, isMeasured) in Sizes.Select(static size => (size, true)).Prepend((16, false)).Prepend((1, false)))
        {
            using var served = ServedModel.Of(server, crops, Streams, InFlight, size);
            using var upserts = UpsertLoad.Connect(server.Address, InFlight, size);
            await served.StreamAsync(settings.Turn);
            var embeds = (await served.StreamAsync(settings.Turn * 3)).Rate;
            // Next to each point, since the machine may be busier at one than at another.
            var (items, seconds) = await echoLoad.RunAsync(crops, settings.Turn);
            var rates = new List<double>();
            for (var turn = 0; turn < settings.Count(3, 2); turn++)
            {
                rates.Add(await UpsertLoad.RateAsync(upserts, Points.Requests(Search.Collection, turn * count, count)));
            }
            // Every size begins with an empty collection.
            await upserts.DeleteCollectionAsync(new() { Collection = Search.Collection });
            if (!isMeasured)
            {
                continue;
            }
            embedded.Add((size, embeds));
            echoed.Add((size, items / seconds));
            stored.Add((size, Spread.MedianOf(rates)));
            Console.WriteLine(FormattableString.Invariant($"{size} items per message: {embeds:N0} crops/s, echo {items / seconds:N0} crops/s, ")
                + FormattableString.Invariant($"{stored[^1].Item2:N0} points/s"));
        }
        await CurvesRun.WriteAsync(settings, "message-sizes.svg", Chart.Lines(
            $"{Streams} streams: items per second by items per message", "items per message", "items/s", logX: true,
            new Series("crops into a model without cost", embedded),
            new Series("bare gRPC echo of the same crops, one per message", echoed),
            new Series("points into the embedded store", stored)));
    }
}
