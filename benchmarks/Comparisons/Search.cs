using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Benchmarks.References;
using Embeddings.Primitives.Numerics;
using Embeddings.Server.Hosting;
using Embeddings.Storage;
using Embeddings.Storage.Sqlite;
using Embeddings.Tooling.Stores;
using Microsoft.Extensions.Logging.Abstractions;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>Searches in the embedded store, against reading as many floats once (P5, P5q), and many queries in one call against one alone (P5b, P5qb).</summary>
internal static class Search
{
    public const string Collection = "face_embeddings";

    private const int Queries = 64;
    private const int Group = 2000;

    public static async Task<IReadOnlyList<Outcome>> RunAsync(BenchSettings settings)
    {
        var count = settings.Count(100_000, 50_000);
        var (single, batch) = await MeasureAsync(settings, count);
        var rows = $"{count:N0} x {Points.Dimension}";
        return
        [
            Times("P5", $"one query over {rows}, 10 hits with payload, over one SIMD sum of the same number of floats", Goal.OrLess(1.15), single),
            Times("P5b", $"{Queries} queries in one call over {rows}: time per query over one query alone", Goal.OrLess(0.15), batch),
        ];
    }

    /// <summary>The same in a collection that does not fit into any cache.</summary>
    public static async Task<IReadOnlyList<Outcome>> RunLargeAsync(BenchSettings settings)
    {
        var count = settings.Count(1_000_000, 200_000);
        var (single, batch) = await MeasureAsync(settings, count);
        var rows = $"{count:N0} x {Points.Dimension}";
        return
        [
            Times("P5q", $"one query over {rows}, 10 hits with payload, over one SIMD sum of the same number of floats", Goal.OrLess(0.33), single),
            Times("P5qb", $"{Queries} queries in one call over {rows}: time per query over one query alone", null, batch),
        ];
    }

    private static async Task<(Pairs Single, Pairs Batch)> MeasureAsync(BenchSettings settings, int count)
    {
        await using var store = await FilledAsync(settings.Scratch("search"), count);
        using var sum = new PlainSum((long)count * DotProducts.Stride(Points.Dimension), Environment.ProcessorCount);
        var one = Vectors(1);
        var many = Vectors(Queries);
        var turn = settings.Turn / 5;

        async Task<double> SearchAsync(IReadOnlyList<VectorQuery> queries)
        {
            var (times, seconds) = (0, 0.0);
            for (; seconds < turn.TotalSeconds; times++)
            {
                seconds += await Clock.TimeAsync(() => store.SearchAsync(Collection, queries, new SearchSpec(), CancellationToken.None));
            }
            return 1000 * seconds / times / queries.Count;
        }

        for (var i = 0; i < 3; i++)
        {
            await SearchAsync(one);
        }
        var single = await Pairs.MeasureAsync(settings.Pairs, () => SearchAsync(one), () => Task.FromResult(1000 / Clock.Rate(turn, sum.Run)));
        var batch = await Pairs.MeasureAsync(settings.Pairs, () => SearchAsync(many), () => SearchAsync(one));
        return (single, batch);
    }

    /// <summary>A started store with this many points.</summary>
    public static async Task<EmbeddedVectorStore> FilledAsync(string directory, int count)
    {
        var store = new EmbeddedVectorStore(
            new EmbeddedStoreOptions { Directory = directory }, NullLogger<EmbeddedVectorStore>.Instance, TimeProvider.System);
        await store.StartAsync(CancellationToken.None);
        await store.EnsureCollectionAsync(new CollectionSpec(Collection, Points.Dimension, null), CancellationToken.None);
        for (var first = 0; first < count; first += Group)
        {
            await store.UpsertAsync(Collection, Points.Stored(first, Math.Min(Group, count - first)), CancellationToken.None);
        }
        return store;
    }

    private static VectorQuery[] Vectors(int count) => [.. Enumerable.Range(1, count).Select(static i => new VectorQuery(Points.Vector(-i)))];

    private static Outcome Times(string id, string what, Goal? goal, Pairs pairs) => new()
    {
        Id = id,
        What = what,
        Ours = $"{Spread.MedianOf(pairs.Ours):0.00} ms",
        Reference = $"{Spread.MedianOf(pairs.Reference):0.00} ms",
        Ratio = pairs.Ratio,
        Goal = goal,
        Pairs = pairs.Count,
    };
}
