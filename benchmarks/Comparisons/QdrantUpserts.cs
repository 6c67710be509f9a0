using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.Processes;
using Embeddings.Benchmarks.References;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>
/// Points through the service into Qdrant, against Qdrant.Client alone (P7). Qdrant is the tests' double in a process of its own: it keeps points in memory
/// and parses as much as a real one; how fast a cluster's disks are is not measured.
/// </summary>
internal static class QdrantUpserts
{
    public static async Task<IReadOnlyList<Outcome>> RunAsync(BenchSettings settings)
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
        await bare.FindBestAsync(() => points);
        var pairs = await Pairs.MeasureAsync(settings.Pairs, () => UpsertLoad.RateAsync(client, requests), () => bare.RateAsync(points));
        var way = $"{bare.Best.AtOnce} x {bare.Best.Size:N0} points";
        var what = $"StreamUpsertVectors into Qdrant (its double), {count:N0} points per turn, over bare upserts ({way})";
        return [Upserts.Rates("P7", what, Goal.OrMore(0.9), pairs)];
    }
}
