using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.Processes;
using Embeddings.Benchmarks.References;
using Embeddings.Client;
using Embeddings.Storage.Qdrant;
using Embeddings.Testing;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>
/// Points through the service into a real Qdrant, against Qdrant.Client alone: points per second (P7), and processor time of client and server per point
/// (P7cpu). Both sides begin with the same vectors and payloads and make their messages from them. And the same into the tests' double (P7double), which keeps points in memory.
/// </summary>
internal static class QdrantUpserts
{
    private const string Binary = "QDRANT_BINARY";
    private const string Served = "bench_served";
    private const string Bare = "bench_bare";

    private static readonly Goal RateGoal = Goal.OrMore(0.85);
    private static readonly Goal CpuGoal = Goal.OrLess(2.5);

    // Qdrant would build graphs in the background, for one side while the other is measured.
    private static readonly Dictionary<string, string> NoGraphs = new() { ["QDRANT__STORAGE__OPTIMIZERS__INDEXING_THRESHOLD_KB"] = "0" };

    public static async Task<IReadOnlyList<Outcome>> RealAsync(BenchSettings settings)
    {
        const string What = "StreamUpsertVectors into Qdrant";
        const string CpuWhat = "processor time per point of client and server, without Qdrant's, over that of a bare client";
        if (Missing() is { } reason)
        {
            return [Outcome.NotMeasured("P7", What, RateGoal, reason), Outcome.NotMeasured("P7cpu", CpuWhat, CpuGoal, reason)];
        }
        var count = settings.Count(20_000, 3000);
        await using var qdrant = await QdrantNode.StartAsync(NoGraphs);
        using var server = await GrpcProcess.ServerAsync(
            settings.Scratch("qdrant"), [], "--Store:Kind=Qdrant", $"--Store:Qdrant:Url={qdrant.Address}");
        using var client = UpsertLoad.Connect(server.Address);
        using var bare = BareQdrant.Connect(qdrant.Address, Bare, BareQdrant.WaysOf256);
        var points = Points.Unit(count);
        var withIds = points.Select(static point => (Id: PointIds.Of(point.Id), Point: point)).ToArray();
        var (ours, reference, clients) = (new List<double>(), new List<double>(), new List<double>());

        async Task<double> ServedAsync()
        {
            await RenewAsync(client, Served);
            var (before, serverBefore) = (Processor.Own, server.Cpu);
            var rate = await UpsertLoad.RateAsync(client, points, static point => Points.Request(Served, point));
            clients.Add((Processor.Own - before).TotalMicroseconds / count);
            ours.Add(clients[^1] + ((server.Cpu - serverBefore).TotalMicroseconds / count));
            return rate;
        }

        async Task<double> BareAsync()
        {
            await RenewAsync(client, Bare);
            var before = Processor.Own;
            var rate = await bare.RateAsync(withIds, static chunk => Array.ConvertAll(chunk, static one => BareQdrant.ToPoint(one.Id, one.Point)));
            reference.Add((Processor.Own - before).TotalMicroseconds / count);
            return rate;
        }

        await bare.FindBestAsync(BareAsync);
        // Code is compiled in tiers, the last of them in the background while the first turns run.
        for (var i = 0; i < settings.Count(6, 2); i++)
        {
            await ServedAsync();
            await BareAsync();
        }
        var pairs = await Pairs.MeasureAsync(settings.Pairs, ServedAsync, BareAsync);
        var cpu = new Pairs([.. ours.TakeLast(pairs.Count)], [.. reference.TakeLast(pairs.Count)]);
        return
        [
            Upserts.Rates("P7", $"{What}, {count:N0} points per turn, over bare upserts ({Way(bare)}, wait)", RateGoal, pairs),
            new Outcome
            {
                Id = "P7cpu",
                What = CpuWhat,
                Ours = $"{Spread.MedianOf(cpu.Ours):0.0} µs/point (client: {Spread.MedianOf(clients.TakeLast(pairs.Count)):0.0})",
                Reference = $"{Spread.MedianOf(cpu.Reference):0.0} µs/point",
                Ratio = cpu.Ratio,
                Goal = CpuGoal,
                Pairs = cpu.Count,
            },
        ];
    }

    public static async Task<IReadOnlyList<Outcome>> DoubleAsync(BenchSettings settings)
    {
        var count = settings.Count(20_000, 1500);
        using var qdrant = await GrpcProcess.QdrantDoubleAsync();
        using var server = await GrpcProcess.ServerAsync(settings.Scratch("qdrant"), [], "--Store:Kind=Qdrant", $"--Store:Qdrant:Url={qdrant.Address}");
        using var client = UpsertLoad.Connect(server.Address);
        using var bare = await BareQdrant.ConnectAsync(qdrant.Address);

        // The same ids each turn: the double would otherwise fill the memory.
        var requests = Points.Requests(Search.Collection, 0, count);
        var points = BareQdrant.Prepare(Points.Stored(0, count));
        await UpsertLoad.RateAsync(client, requests);
        await bare.FindBestAsync(() => bare.RateAsync(points));
        var pairs = await Pairs.MeasureAsync(settings.Pairs, () => UpsertLoad.RateAsync(client, requests), () => bare.RateAsync(points));
        var what = $"StreamUpsertVectors into the tests' double of Qdrant, {count:N0} points per turn, over bare upserts ({Way(bare)})";
        return [Upserts.Rates("P7double", what, null, pairs)];
    }

    private static string Way(BareQdrant bare) => $"{bare.Best.AtOnce} x {bare.Best.Size:N0} points";

    // Both collections are made by the service, so that their settings and payload indexes are the same; each turn has a new one.
    private static async Task RenewAsync(EmbeddingsClient client, string collection)
    {
        try
        {
            await client.DeleteCollectionAsync(new() { Collection = collection });
        }
        catch (EmbeddingsException e) when (e.Status == StatusCode.NotFound)
        {
            // The first turn.
        }
        var first = Points.Requests(collection, 0, 1)[0].Point;
        await client.UpsertVectorsAsync(new() { Collection = collection, Points = { first } });
        // Qdrant deletes the files of the last collection.
        await Task.Delay(200);
    }

    // The variable of the tests, or where .ci/run unpacks it.
    private static string? Missing()
    {
        var unpacked = Path.Combine(Repository.Root, "artifacts", "tools", "qdrant");
        if (Tool.Missing(Binary) is not null && File.Exists(unpacked))
        {
            Environment.SetEnvironmentVariable(Binary, unpacked);
        }
        return Tool.Missing(Binary);
    }
}
