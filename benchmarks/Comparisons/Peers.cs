using System.Numerics.Tensors;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.Processes;
using Embeddings.Benchmarks.References;
using Embeddings.Testing;
using Embeddings.V1;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>
/// The service against servers that a team would write in Python instead (P11): the same model, crops and client, from the first call on and later.
/// </summary>
internal static class Peers
{
    private const int Streams = 4;
    private const int AtOnce = 16;
    private const int Compared = 10;

    // Vectors of the same image by another decoder, resizer and version of ONNX Runtime.
    private const float LeastCosine = 0.999f;

    // Ways of serving.py; the fastest of them is the reference.
    private static readonly string[] InBatches = ["batches", "parallel"];
    private static readonly string[] InAnyWay = [.. InBatches, "threads"];

    /// <summary>All comparisons with their ids; each id is also there with <c>first</c> at its end.</summary>
    public static IEnumerable<Comparison> All { get; } =
    [
        Of("P11", "streams of raw crops, mobilefacenet", InBatches, 1.1, isFree: false, static (address, requests) => PeerLoad.Streams(address, requests, Streams, 8)),
        Of("P11free", "streams of raw crops, a model without cost", InBatches, 2.0, isFree: true, static (address, requests) => PeerLoad.Streams(address, requests, Streams, 64)),
        Of("P11call", $"single calls with raw crops, {AtOnce} at once, mobilefacenet", InAnyWay, 1.0, isFree: false, Calls),
        Of("P11callfree", $"single calls with raw crops, {AtOnce} at once, a model without cost", InAnyWay, 1.5, isFree: true, Calls),
        new(["P11jpeg", "P11jpegfirst"], static settings => JpegAsync(settings, "P11jpeg", Goal.OrMore(1.05), isDrafting: false)),
        new(["P11draft", "P11draftfirst"], static settings => JpegAsync(settings, "P11draft", null, isDrafting: true)),
    ];

    private static PeerLoad Calls(string address, IReadOnlyList<StreamEmbedRequest> requests) => PeerLoad.Calls(address, requests, AtOnce);

    private static Comparison Of(
        string id, string what, string[] ways, double goal, bool isFree, Func<string, IReadOnlyList<StreamEmbedRequest>, PeerLoad> load) => new(
        [id, id + "first"],
        async settings =>
        {
            var over = Goal.OrMore(goal);
            var title = $"{what}, over grpcio with ONNX Runtime";
            if (PythonPeer.Missing is { } reason)
            {
                return NotMeasured(id, title, over, reason);
            }
            var python = await PythonPeer.InstallAsync(settings.Directory);
            var model = isFree ? BenchModel.Free(settings.Directory) : BenchModel.MobileFaceNet(settings.Directory);
            var requests = BenchImages.Crops(model);
            return await RunAsync(
                settings, id, title, over, model, ways, way => python.StartAsync(model, way), address => load(address, requests), address => load(address, requests));
        });

    private static async Task<IReadOnlyList<Outcome>> JpegAsync(BenchSettings settings, string id, Goal? goal, bool isDrafting)
    {
        const string Parts = "with Pillow and ONNX Runtime on a thread pool";
        var what = $"single calls with JPEG 640x480, {AtOnce} at once, mobilefacenet, over ";
        if (PythonPeer.Missing is { } reason)
        {
            return NotMeasured(id, $"{what}FastAPI {Parts}", goal, reason);
        }
        var python = await PythonPeer.InstallAsync(settings.Directory);
        var model = BenchModel.MobileFaceNet(settings.Directory);
        var requests = BenchImages.FaceRequests(BenchImages.Jpegs(16));
        what += python.HasFastApi ? $"FastAPI {Parts}" : $"grpcio {Parts} (FastAPI is not installed)";
        what += isDrafting ? ", which decodes at a reduced scale, too" : "";
        return await RunAsync(
            settings,
            id,
            what,
            goal,
            model,
            [python.HasFastApi ? "http" : "threads"],
            way => python.StartAsync(model, way, isDrafting),
            address => Calls(address, requests),
            address => python.HasFastApi ? PeerLoad.Http(address, requests, AtOnce) : Calls(address, requests));
    }

    private static async Task<IReadOnlyList<Outcome>> RunAsync(
        BenchSettings settings,
        string id,
        string what,
        Goal? goal,
        BenchModel model,
        string[] ways,
        Func<string, Task<GrpcProcess>> startPeerAsync,
        Func<string, PeerLoad> loadOurs,
        Func<string, PeerLoad> loadPeer)
    {
        var best = ways[0];
        var (ours, peer) = (new List<(double First, double Later)>(), new List<(double First, double Later)>());

        Task<GrpcProcess> ServerAsync() => GrpcProcess.ServerAsync(settings.Scratch("peers"), [model]);

        Task<GrpcProcess> PeerAsync() => startPeerAsync(best);

        // One server at a time, each started for this turn: its first calls are measured, too.
        async Task<double> TurnAsync(Func<Task<GrpcProcess>> startAsync, Func<string, PeerLoad> connect, List<(double First, double Later)> rates)
        {
            using var server = await startAsync();
            using var load = connect(server.Address);
            rates.Add(await load.MeasureAsync(settings.Turn * 2, settings.Turn * 2));
            return rates[^1].Later;
        }

        if (ways.Length > 1)
        {
            var trials = new double[ways.Length];
            for (var i = 0; i < 2 * ways.Length; i++)
            {
                var rates = new List<(double First, double Later)>();
                await TurnAsync(() => startPeerAsync(ways[i % ways.Length]), loadPeer, rates);
                trials[i % ways.Length] += rates[0].Later;
            }
            best = ways[Array.IndexOf(trials, trials.Max())];
            what += $", at its best ({best})";
        }
        await CompareAsync(id, ServerAsync, PeerAsync, loadOurs, loadPeer);
        var pairs = await Pairs.MeasureAsync(
            settings.Count(5, 2), () => TurnAsync(ServerAsync, loadOurs, ours), () => TurnAsync(PeerAsync, loadPeer, peer));
        var first = new Pairs([.. ours.TakeLast(pairs.Count).Select(static rates => rates.First)], [.. peer.TakeLast(pairs.Count).Select(static rates => rates.First)]);
        return
        [
            Rates(id, what, goal, pairs),
            Rates(id + "first", "the first 500 items or the first second of it, whichever is longer, in new processes", goal, first),
        ];
    }

    // Otherwise the comparison would be of different work.
    private static async Task CompareAsync(
        string id, Func<Task<GrpcProcess>> serverAsync, Func<Task<GrpcProcess>> peerAsync, Func<string, PeerLoad> loadOurs, Func<string, PeerLoad> loadPeer)
    {
        using var server = await serverAsync();
        using var peer = await peerAsync();
        using var ours = loadOurs(server.Address);
        using var theirs = loadPeer(peer.Address);
        for (var i = 0; i < Compared; i++)
        {
            float[] left = await ours.EmbedAsync(i), right = await theirs.EmbedAsync(i);
            var cosine = TensorPrimitives.CosineSimilarity<float>(left, right);
            if (!(cosine >= LeastCosine))
            {
                throw new BenchException($"{id}: the vectors of the two servers differ; their cosine must be at least {LeastCosine}, but is {cosine}");
            }
        }
    }

    private static Outcome[] NotMeasured(string id, string what, Goal? goal, string reason) =>
        [Outcome.NotMeasured(id, what, goal, reason), Outcome.NotMeasured(id + "first", "the first items of it", goal, reason)];

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
}
