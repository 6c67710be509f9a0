using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Storage;
using Embeddings.Storage.Sqlite;
using Embeddings.Storage.Sqlite.Approximate;
using Microsoft.Extensions.Logging.Abstractions;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>
/// Searches of the embedded store's approximate index, one at a time (P5a), what they find (P5ar), and what the index costs while points are written (P5ai).
/// </summary>
internal static class ApproximateSearch
{
    public const string Collection = "clustered";

    private const int Group = 2000;
    private const int Queries = 500;

    private static readonly SearchSpec Approximate = new() { Exact = false };

    public static async Task<IReadOnlyList<Outcome>> RunAsync(BenchSettings settings)
    {
        var count = settings.Count(1_000_000, 30_000);
        var points = new ClusteredPoints(count);
        await using var store = await StartedAsync(settings.Scratch("approximate"), withIndex: true);
        var build = await FillAsync(store, points, count);
        var index = Index(store)!;

        var next = 0;
        VectorQuery[] Query() => [new(points.Vector(count + (next++ % Queries)))];
        async Task<double> SearchAsync(SearchSpec spec, int times)
        {
            var seconds = 0.0;
            for (var i = 0; i < times; i++)
            {
                var query = Query();
                seconds += await Clock.TimeAsync(() => store.SearchAsync(Collection, query, spec, CancellationToken.None));
            }
            return 1000 * seconds / times;
        }

        var (found, all) = (0, 0);
        for (var i = 0; i < settings.Count(200, 50); i++)
        {
            var query = Query();
            var exact = (await store.SearchAsync(Collection, query, new SearchSpec(), CancellationToken.None))[0].Select(static hit => hit.Point.Id).ToHashSet();
            found += (await store.SearchAsync(Collection, query, Approximate, CancellationToken.None))[0].Count(hit => exact.Contains(hit.Point.Id));
            all += exact.Count;
        }
        var recall = (double)found / all;
        var pairs = await Pairs.MeasureAsync(settings.Pairs, () => SearchAsync(Approximate, 100), () => SearchAsync(new SearchSpec(), 5));
        var ingest = await IngestAsync(settings, points);
        var rows = $"{count:N0} x {Points.Dimension}";
        return
        [
            new()
            {
                Id = "P5a",
                What = $"one approximate query over {rows} in clusters, 10 hits with payload, {index.Recall!.Candidates} candidates, milliseconds; "
                    + $"the reference is an exact one; the graph took {build:N0} s after the last point, and {index.Bytes / count} bytes per point",
                Ours = $"{Spread.MedianOf(pairs.Ours):0.00} ms",
                Reference = $"{Spread.MedianOf(pairs.Reference):0.00} ms",
                Ratio = Spread.Of(pairs.Ours),
                Goal = Goal.OrLess(4, "ms"),
                Pairs = pairs.Count,
            },
            new()
            {
                Id = "P5ar",
                What = $"share of the 10 nearest points that P5a finds, over {all / 10} queries; the reference is what the index has measured itself",
                Ours = $"{recall:0.000}",
                Reference = $"{index.Recall.At10:0.000}",
                Ratio = new(recall, recall, recall),
                Goal = Goal.OrMore(0.97),
                Pairs = 1,
            },
            new()
            {
                Id = "P5ai",
                What = "durable upserts in groups of 2,000 while the graph is built, over the same without an approximate index",
                Ours = $"{Spread.MedianOf(ingest.Ours):N0} points/s",
                Reference = $"{Spread.MedianOf(ingest.Reference):N0} points/s",
                Ratio = ingest.Ratio,
                Goal = Goal.OrMore(0.9),
                Pairs = ingest.Count,
            },
        ];
    }

    /// <summary>Writes this many points and returns the seconds from then until they are in the graph and its recall is measured.</summary>
    public static async Task<double> FillAsync(EmbeddedVectorStore store, ClusteredPoints points, int count)
    {
        for (var first = 0; first < count; first += Group)
        {
            await store.UpsertAsync(Collection, points.Stored(first, Math.Min(Group, count - first)), CancellationToken.None);
        }
        var index = Index(store)!;
        return await Clock.TimeAsync(async () =>
        {
            while (index.Recall is null || index.Pending > 0)
            {
                await Task.Delay(100);
            }
        });
    }

    private static async Task<Pairs> IngestAsync(BenchSettings settings, ClusteredPoints points)
    {
        await using var with = await StartedAsync(settings.Scratch("approximate-with"), withIndex: true);
        await using var without = await StartedAsync(settings.Scratch("approximate-without"), withIndex: false);
        var count = settings.Count(10 * Group, Group);
        var (ours, reference) = (0, 0);
        async Task<double> RateAsync(EmbeddedVectorStore store, int first)
        {
            var groups = points.Stored(first, count).Chunk(Group).ToArray();
            return count / await Clock.TimeAsync(() => Task.WhenAll(groups.Select(group => store.UpsertAsync(Collection, group, CancellationToken.None))));
        }

        return await Pairs.MeasureAsync(
            settings.Pairs,
            async () =>
            {
                // Only while these points are written: the graph of the first store is always behind.
                await SetAsync(with, new(16, 128));
                var rate = await RateAsync(with, count * ours++);
                await SetAsync(with, null);
                return rate;
            },
            () => RateAsync(without, count * reference++));
    }

    private static ApproximateIndex? Index(EmbeddedVectorStore store) => store.Engine.Catalog.Require(Collection).Approximate;

    private static Task SetAsync(EmbeddedVectorStore store, ApproximateIndexSettings? settings) => store.UpdateSettingsAsync(
        Collection,
        settings is null ? new() { RemoveApproximateIndex = true } : new() { ApproximateIndex = settings },
        CancellationToken.None);

    /// <summary>A started store with an empty collection.</summary>
    public static async Task<EmbeddedVectorStore> StartedAsync(string directory, bool withIndex)
    {
        var options = new EmbeddedStoreOptions { Directory = directory, IndexThreads = Environment.ProcessorCount };
        var store = new EmbeddedVectorStore(options, NullLogger<EmbeddedVectorStore>.Instance, TimeProvider.System);
        await store.StartAsync(CancellationToken.None);
        await store.EnsureCollectionAsync(new CollectionSpec(Collection, Points.Dimension, null), CancellationToken.None);
        if (withIndex)
        {
            await SetAsync(store, new(16, 128));
        }
        return store;
    }
}
