using System.Runtime.InteropServices;
using Embeddings.Storage.Sqlite.Approximate;
using Embeddings.Testing;
using Embeddings.Testing.Stores;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;

namespace Embeddings.Storage.Sqlite.Tests.Approximate;

/// <summary>The approximate index of the embedded store.</summary>
public sealed class ApproximateIndexTests : IDisposable
{
    private const string Name = "faces";
    private const int Dimension = 24;
    private const int Count = 8000;
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly ApproximateIndexSettings Settings = new(16, 64);
    private static readonly SearchSpec Exact = new() { WithPayload = false };
    private static readonly SearchSpec Approximate = Exact with { Exact = false, HnswEf = 60 };
    private readonly TempFolder _directory = new();
    private readonly ClusteredPoints _points = new(Dimension, 20, 3);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Most_of_the_nearest_points_are_found_with_their_exact_scores()
    {
        await using var store = await FilledAsync(Count);
        var index = Index(store)!;
        Assert.Equal((Count, RecallProbe.Sample), (index.State.IndexedCount, index.State.SampleSize));
        Assert.InRange(index.State.RecallAt10!.Value, ApproximateIndex.TargetRecall, 1);

        var (found, all) = (0, 0);
        for (var number = Count; number < Count + 200; number++)
        {
            VectorQuery[] query = [new(_points.Vector(number))];
            var exact = (await store.SearchAsync(Name, query, Exact, None))[0].ToDictionary(hit => hit.Point.Id, hit => hit.Score);
            var approximate = (await store.SearchAsync(Name, query, Approximate, None))[0];
            Assert.Equal(10, approximate.Count);
            Assert.Equal(
                approximate.Select(hit => hit.Point.Id),
                approximate.OrderByDescending(hit => hit.Score).ThenBy(hit => hit.Point.Id, StringComparer.Ordinal).Select(hit => hit.Point.Id));
            foreach (var hit in approximate)
            {
                if (exact.TryGetValue(hit.Point.Id, out var score))
                {
                    Assert.Equal(score, hit.Score);
                    found++;
                }
            }

            all += exact.Count;
        }

        Assert.Equal(200, index.Searches);
        Assert.InRange((double)found / all, 0.95, 1);
    }

    [Fact]
    public async Task Searches_are_exact_unless_they_ask_for_less()
    {
        await using var store = await FilledAsync(Count);
        var index = Index(store)!;
        var before = index.Searches;
        await store.SearchAsync(Name, [new(_points.Vector(1))], Exact, None);
        await store.SearchAsync(Name, [new(_points.Vector(1))], Exact with { Exact = true }, None);
        Assert.Equal(before, index.Searches);
        await store.SearchAsync(Name, [new(_points.Vector(1))], Approximate, None);
        Assert.Equal(before + 1, index.Searches);
        await SetAsync(store, null);
        await store.SearchAsync(Name, [new(_points.Vector(1))], Approximate, None);
        Assert.Equal(before + 1, index.Searches);
        Assert.Null(Index(store));
    }

    [Fact]
    public async Task More_candidates_find_more()
    {
        await using var store = await FilledAsync(Count, new(4, 16));
        async Task<double> RecallAsync(int? candidates)
        {
            var found = 0;
            for (var number = Count; number < Count + 100; number++)
            {
                VectorQuery[] query = [new(_points.Vector(number))];
                var exact = (await store.SearchAsync(Name, query, Exact, None))[0].Select(hit => hit.Point.Id).ToHashSet();
                found += (await store.SearchAsync(Name, query, Approximate with { HnswEf = candidates }, None))[0]
                    .Count(hit => exact.Contains(hit.Point.Id));
            }

            return found / 1000.0;
        }

        var (few, many) = (await RecallAsync(11), await RecallAsync(75));
        Assert.InRange(many, few + 0.1, 1);
    }

    [Fact]
    public async Task Thresholds_exclusions_and_limits_hold()
    {
        await using var store = await FilledAsync(Count);
        var index = Index(store)!;
        var before = index.Searches;
        VectorQuery[] queries = [new(_points.Vector(5)), new(_points.Vector(5), ClusteredPoints.Id(5)), new(_points.Vector(77))];
        var all = await store.SearchAsync(Name, queries, Approximate with { Limit = 50 }, None);
        Assert.Equal((1f, ClusteredPoints.Id(5)), (all[0][0].Score, all[0][0].Point.Id));
        Assert.DoesNotContain(all[1], hit => hit.Point.Id == ClusteredPoints.Id(5));
        Assert.All(all, hits => Assert.Equal(50, hits.Count));
        var threshold = all[0][20].Score;
        var some = await store.SearchAsync(Name, queries, Approximate with { Limit = 50, ScoreThreshold = threshold }, None);
        Assert.Equal(all[0].Where(hit => hit.Score >= threshold), some[0]);
        Assert.Equal(before + 2, index.Searches);
        // More than an exact search would compare.
        Assert.Equal(1000, (await store.SearchAsync(Name, queries, Approximate with { Limit = 1000 }, None))[0].Count);
        Assert.Equal(before + 2, index.Searches);
    }

    [Fact]
    public async Task Filters_that_leave_many_points_use_the_graph_and_those_that_leave_few_do_not()
    {
        await using var store = await FilledAsync(2 * Count);
        var index = Index(store)!;
        foreach (var (filter, usesGraph) in new[]
        {
            (new PointFilter { MediaStoreId = "media-1" }, true),
            (new PointFilter { JobId = "job-17" }, false),
            (new PointFilter { JobId = "none" }, false),
        })
        {
            var (found, all) = (0, 0);
            for (var number = 2 * Count; number < (2 * Count) + 50; number++)
            {
                var before = index.Searches;
                VectorQuery[] query = [new(_points.Vector(number))];
                var exact = (await store.SearchAsync(Name, query, Exact with { Filter = filter, WithPayload = true }, None))[0];
                var some = Approximate with { Filter = filter, WithPayload = true, HnswEf = 35 };
                var approximate = (await store.SearchAsync(Name, query, some, None))[0];
                Assert.Equal(usesGraph ? before + 1 : before, index.Searches);
                Assert.All(approximate, hit => Assert.Equal(filter.MediaStoreId ?? hit.Point.Payload.MediaStoreId, hit.Point.Payload.MediaStoreId));
                if (!usesGraph)
                {
                    Assert.Equal(exact.Select(hit => (hit.Point.Id, hit.Score)), approximate.Select(hit => (hit.Point.Id, hit.Score)));
                }

                found += approximate.Count(hit => exact.Any(other => other.Point.Id == hit.Point.Id));
                all += exact.Count;
            }

            Assert.True(found >= 0.7 * all, $"{found} of {all}");
        }
    }

    [Fact]
    public async Task A_filter_for_points_that_are_far_away_is_answered_exactly()
    {
        await using var store = await FilledAsync(Count);
        // The points of the filter are opposite to the query, so that the graph finds none of them.
        var query = _points.Vector(1);
        var opposite = Enumerable.Range(0, Count).Select(i => new StoredPoint(
            $"q{i:000000}", _points.Vector(Count + i).Select((x, j) => x - (40 * query[j])).ToArray(), new() { MediaStoreId = "far" }));
        await store.UpsertAsync(Name, [.. opposite], None);
        await BuiltAsync(store, 2 * Count);
        var filter = new PointFilter { MediaStoreId = "far" };
        var exact = (await store.SearchAsync(Name, [new(query)], Exact with { Filter = filter }, None))[0];
        var approximate = (await store.SearchAsync(Name, [new(query)], Approximate with { Filter = filter, HnswEf = 35 }, None))[0];
        Assert.Equal(10, approximate.Count);
        Assert.Equal(exact.Select(hit => (hit.Point.Id, hit.Score)), approximate.Select(hit => (hit.Point.Id, hit.Score)));
    }

    [Fact]
    public async Task Points_that_are_not_in_the_graph_yet_are_found()
    {
        await using var store = await FilledAsync(Count);
        for (var number = Count; number < Count + 300; number++)
        {
            await store.UpsertAsync(Name, [_points.Point(number)], None);
            var hits = (await store.SearchAsync(Name, [new(_points.Vector(number))], Approximate with { HnswEf = 70 }, None))[0];
            Assert.Equal((1f, ClusteredPoints.Id(number)), (hits[0].Score, hits[0].Point.Id));
        }

        // Replaced by the opposite, which nothing else is near to.
        for (var number = 0; number < 300; number++)
        {
            var vector = _points.Vector(number).Select(static x => -x).ToArray();
            await store.UpsertAsync(Name, [_points.Point(number) with { Vector = vector }], None);
            var hits = (await store.SearchAsync(Name, [new(vector), new(_points.Vector(number))], Approximate, None));
            Assert.Equal((1f, ClusteredPoints.Id(number)), (hits[0][0].Score, hits[0][0].Point.Id));
            Assert.DoesNotContain(hits[1], hit => hit.Point.Id == ClusteredPoints.Id(number));
        }
    }

    [Fact]
    public async Task Deleted_points_never_come_back_while_points_are_written()
    {
        await using var store = await FilledAsync(Count);
        var deleted = new bool[3 * Count];
        var next = Count;
        using var end = new CancellationTokenSource();
        var writes = Task.Run(async () =>
        {
            var random = new Random(1);
            for (var round = 0; round < 60; round++)
            {
                var first = next;
                await store.UpsertAsync(Name, _points.Points(first, 100), None);
                Volatile.Write(ref next, first + 100);
                var gone = Enumerable.Range(0, 60).Select(_ => random.Next(first)).Distinct().ToArray();
                await store.DeleteAsync(Name, [.. gone.Select(ClusteredPoints.Id)], None);
                Array.ForEach(gone, number => Volatile.Write(ref deleted[number], true));
            }
        });
        var searches = Enumerable.Range(0, 3).Select(seed => Task.Run(async () =>
        {
            var random = new Random(seed);
            var used = 0;
            do
            {
                var number = random.Next(Volatile.Read(ref next));
                var known = Enumerable.Range(0, deleted.Length).Where(i => Volatile.Read(ref deleted[i])).Select(ClusteredPoints.Id).ToHashSet();
                var hits = (await store.SearchAsync(Name, [new(_points.Vector(number))], Approximate with { Limit = 20 }, None))[0];
                Assert.Equal(20, hits.Count);
                Assert.DoesNotContain(hits, hit => known.Contains(hit.Point.Id));
                used++;
            }
            while (!writes.IsCompleted);
            return used;
        })).ToArray();
        await writes;
        await Task.WhenAll(searches);
        Assert.True(Index(store)!.Searches > 0);
        var live = await store.CountAsync(Name, PointFilter.All, None);
        await BuiltAsync(store, live);
        foreach (var number in Enumerable.Range(0, next).Where(i => deleted[i]).Take(500))
        {
            var hits = (await store.SearchAsync(Name, [new(_points.Vector(number))], Approximate, None))[0];
            Assert.DoesNotContain(hits, hit => hit.Point.Id == ClusteredPoints.Id(number));
        }
    }

    [Fact]
    public async Task Many_deletions_renew_the_graph()
    {
        await using var store = await FilledAsync(Count);
        var index = Index(store)!;
        await store.DeleteAsync(Name, [.. Enumerable.Range(0, Count / 2).Select(ClusteredPoints.Id)], None);
        await BuiltAsync(store, Count / 2);
        Assert.Equal(0, index.Outdated);
        var (found, all) = (0, 0);
        for (var number = Count; number < Count + 50; number++)
        {
            VectorQuery[] query = [new(_points.Vector(number))];
            var exact = (await store.SearchAsync(Name, query, Exact, None))[0].Select(hit => hit.Point.Id).ToHashSet();
            found += (await store.SearchAsync(Name, query, Approximate with { HnswEf = 35 }, None))[0].Count(hit => exact.Contains(hit.Point.Id));
            all += 10;
        }

        Assert.InRange((double)found / all, 0.8, 1);
    }

    [Fact]
    public async Task A_restart_uses_the_file_and_builds_what_has_changed()
    {
        GraphRecall recall;
        await using (var store = await FilledAsync(Count))
        {
            recall = Index(store)!.Recall!;
        }

        Assert.True(File.Exists(Graph));
        await using (var store = await StartedAsync())
        {
            var index = Index(store)!;
            await Until(() => index.State.IndexedCount == Count);
            Assert.Equal((0, recall), (index.Changes, index.Recall));
            await FindsTwinsAsync(store, 0, 100);
        }

        // The points change, and the file is an old one, as after a crash.
        var file = File.ReadAllBytes(Graph);
        await using (var store = await StartedAsync())
        {
            await store.UpsertAsync(Name, _points.Points(Count, 500), None);
            await store.DeleteAsync(Name, [.. Enumerable.Range(0, 300).Select(ClusteredPoints.Id)], None);
            await store.UpsertAsync(Name, [.. Enumerable.Range(300, 100).Select(i => _points.Point(i) with { Vector = _points.Vector(90_000 + i) })], None);
        }

        File.WriteAllBytes(Graph, file);
        await using (var store = await StartedAsync())
        {
            var index = Index(store)!;
            await BuiltAsync(store, Count + 200);
            Assert.InRange(index.Changes, 600, 1500);
            await FindsTwinsAsync(store, 400, 100);
            await FindsTwinsAsync(store, Count, 500);
            foreach (var number in Enumerable.Range(0, 300))
            {
                var hits = (await store.SearchAsync(Name, [new(_points.Vector(number))], Approximate, None))[0];
                Assert.DoesNotContain(hits, hit => hit.Point.Id == ClusteredPoints.Id(number));
            }
        }
    }

    [Theory]
    [InlineData("missing")]
    [InlineData("truncated")]
    [InlineData("tampered")]
    [InlineData("foreign")]
    [InlineData("other settings")]
    [InlineData("folder")]
    public async Task A_file_that_cannot_be_used_is_built_again(string trouble)
    {
        await using (await FilledAsync(2000))
        {
        }

        var settings = Settings;
        var file = File.ReadAllBytes(Graph);
        switch (trouble)
        {
            case "missing":
                File.Delete(Graph);
                break;
            case "truncated":
                File.WriteAllBytes(Graph, file[..(file.Length / 2)]);
                break;
            case "tampered":
                file[file.Length / 3] ^= 1;
                File.WriteAllBytes(Graph, file);
                break;
            case "foreign":
                using (var other = new TempFolder())
                {
                    await using (await FilledAsync(2000, directory: other.Path))
                    {
                    }

                    File.Copy(GraphFile.PathIn(other.Path, 1), Graph, overwrite: true);
                }

                break;
            case "other settings":
                settings = new(8, 64);
                break;
            default:
                File.Delete(Graph);
                Directory.CreateDirectory(Graph);
                break;
        }

        await using var store = await StartedAsync();
        await SetAsync(store, settings);
        await BuiltAsync(store, 2000);
        Assert.InRange(Index(store)!.Changes, 2000, 2001);
        await FindsTwinsAsync(store, 0, 50);
    }

    [Fact]
    public async Task Nothing_is_left_of_deleted_points_in_the_file()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56));
        byte[] deleted = Codes(7), replaced = Codes(8), kept = Codes(9);
        await using (var store = await FilledAsync(2000, time: time))
        {
            await Until(() => File.Exists(Graph));
            Assert.All([deleted, replaced, kept], codes => Assert.True(IsInFile(codes)));
            await store.DeleteAsync(Name, [ClusteredPoints.Id(7)], None);
            await store.UpsertAsync(Name, [_points.Point(8) with { Vector = _points.Vector(50_008) }], None);
            await Until(() => !File.Exists(Graph));
            // Some time later it is written again.
            await BuiltAsync(store, 1999);
            Assert.False(File.Exists(Graph));
            time.Advance(TimeSpan.FromMinutes(11));
            await Until(() => File.Exists(Graph));
            Assert.Equal([false, false, true], [IsInFile(deleted), IsInFile(replaced), IsInFile(kept)]);
            await store.DeleteAsync(Name, [ClusteredPoints.Id(9)], None);
        }

        // Deleted right before the stop.
        Assert.Equal([false, false, true], [IsInFile(deleted), IsInFile(kept), IsInFile(Codes(10))]);
    }

    [Fact]
    public async Task The_file_of_a_dropped_collection_is_deleted()
    {
        await using var store = await FilledAsync(2000);
        var index = Index(store)!;
        await Until(() => File.Exists(Graph));
        await store.DropCollectionAsync(Name, null, None);
        await Until(() => !File.Exists(Graph) && index.Bytes == 0);
        // The same name is another collection.
        await store.EnsureCollectionAsync(new(Name, 3, null), None);
        Assert.Null(Index(store));
        await SetAsync(store, Settings);
        await store.UpsertAsync(Name, [VectorStoreContract.Point("p", [1, 2, 3])], None);
        await Until(() => Index(store)!.State.IndexedCount == 1);
        Assert.Single((await store.SearchAsync(Name, [new(new float[] { 1, 2, 3 })], Approximate with { HnswEf = 1 }, None))[0]);
    }

    [Fact]
    public async Task Settings_can_change_while_points_are_searched()
    {
        await using var store = await FilledAsync(Count);
        using var end = new CancellationTokenSource();
        var searches = Enumerable.Range(0, 2).Select(_ => Task.Run(async () =>
        {
            for (var number = 0; !end.IsCancellationRequested; number = (number + 1) % Count)
            {
                var hits = (await store.SearchAsync(Name, [new(_points.Vector(number))], Approximate, None))[0];
                Assert.Equal(10, hits.Count);
            }
        })).ToArray();
        foreach (var settings in new ApproximateIndexSettings?[] { new(8, 64), null, new(8, 32), new(4, 16), null, new(4, 16) })
        {
            await SetAsync(store, settings);
            await Task.Delay(100, None);
        }

        await end.CancelAsync();
        await Task.WhenAll(searches);
        await BuiltAsync(store, Count);
    }

    [Fact]
    public async Task Equal_and_opposite_points_are_found()
    {
        await using var store = await StartedAsync();
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        await SetAsync(store, Settings);
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, 3000).Select(i => VectorStoreContract.Point($"same{i:0000}", [1, 1]))], None);
        await store.UpsertAsync(Name, [VectorStoreContract.Point("opposite", [-1, -1]), VectorStoreContract.Point("tiny", [1e-30f, 0])], None);
        await BuiltAsync(store, 3002);
        var spec = Approximate with { HnswEf = 11 };
        var hits = (await store.SearchAsync(Name, [new(new float[] { 2, 2 })], spec, None))[0];
        Assert.All(hits, hit => Assert.Equal(1, hit.Score));
        Assert.Equal(10, hits.Count);
        Assert.Equal(1, Index(store)!.Recall!.At10);
    }

    [Fact]
    public void A_dimension_that_is_too_large_is_refused()
    {
        Indexer.RequireSupported(Settings, 65_536);
        var fault = Assert.Throws<Primitives.Fault>(() => Indexer.RequireSupported(Settings, 65_537));
        Assert.Contains("at most 65536 dimensions; the collection has 65537", fault.Message, StringComparison.Ordinal);
    }

    private string Graph => GraphFile.PathIn(_directory.Path, 1);

    private static ApproximateIndex? Index(EmbeddedVectorStore store) => store.Engine.Catalog.Require(Name).Approximate;

    private static Task SetAsync(EmbeddedVectorStore store, ApproximateIndexSettings? settings) => store.UpdateSettingsAsync(
        Name,
        settings is null ? new() { RemoveApproximateIndex = true } : new() { ApproximateIndex = settings },
        None);

    private byte[] Codes(int number) => MemoryMarshal.AsBytes<sbyte>(GraphCodes.Encode(_points.Vector(number))).ToArray();

    private bool IsInFile(byte[] codes) => File.ReadAllBytes(Graph).AsSpan().IndexOf(codes) >= 0;

    private Task<EmbeddedVectorStore> StartedAsync(string? directory = null, TimeProvider? time = null) => EmbeddedStores.StartAsync(
        new EmbeddedStoreOptions { Directory = directory ?? _directory.Path }, time: time);

    private async Task<EmbeddedVectorStore> FilledAsync(
        int count, ApproximateIndexSettings? settings = null, string? directory = null, TimeProvider? time = null)
    {
        var store = await StartedAsync(directory, time);
        await store.EnsureCollectionAsync(new(Name, Dimension, null), None);
        await SetAsync(store, settings ?? Settings);
        await store.UpsertAsync(Name, _points.Points(0, count), None);
        await BuiltAsync(store, count);
        return store;
    }

    /// <summary>Waits until all points are in the graph and its recall is measured.</summary>
    private static Task BuiltAsync(EmbeddedVectorStore store, long count) => Until(() =>
    {
        var index = Index(store)!;
        return index.Pending == 0 && index.Outdated == 0 && index.State.IndexedCount == count && index.Recall is not null;
    });

    private static async Task Until(Func<bool> condition)
    {
        for (var i = 0; !condition(); i++)
        {
            Assert.True(i < 12_000, "waited for two minutes");
            await Task.Delay(10, None);
        }
    }

    private async Task FindsTwinsAsync(EmbeddedVectorStore store, int first, int count)
    {
        for (var number = first; number < first + count; number++)
        {
            var hits = (await store.SearchAsync(Name, [new(_points.Vector(number))], Approximate with { HnswEf = 70 }, None))[0];
            Assert.Equal((1f, ClusteredPoints.Id(number)), (hits[0].Score, hits[0].Point.Id));
        }
    }
}
