using Embeddings.Primitives;
using Embeddings.Testing;
using Embeddings.Testing.Stores;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using static Embeddings.Testing.Stores.VectorStoreContract;

namespace Embeddings.Storage.Sqlite.Tests;

public sealed class EmbeddedVectorStoreTests : IDisposable
{
    private const string Name = "faces";
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly TempFolder _directory = new();

    private string Database => SqliteSchema.PathIn(_directory.Path);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_restart_keeps_everything()
    {
        var model = new ModelStamp("m", "f");
        await using (var store = await StartedAsync(17, model))
        {
            await store.UpsertAsync(Name, [.. Enumerable.Range(0, 300).Select(i => Point($"p{i}", Vector(17, i), $$"""{"i":{{i}}}"""))], None);
            await store.DeleteAsync(Name, ["p7"], None);
        }

        await using var again = await EmbeddedStores.StartAsync(_directory.Path);
        Assert.Equal(new CollectionInfo(Name, 17, 299, model), await again.FindCollectionAsync(Name, None));
        Assert.Null(await again.GetAsync(Name, "p7", None));
        Assert.Equal(Vector(17, 8), (await again.GetAsync(Name, "p8", None))!.Vector.ToArray());
        var hit = (await SearchAsync(again, Vector(17, 42), new SearchSpec()))[0];
        Assert.Equal(("p42", 42), (hit.Point.Id, (int)hit.Point.Payload.Attributes!["i"]!));
        await AssertFaultAsync(
            FaultKind.FailedPrecondition,
            Reasons.CollectionModelMismatch,
            () => again.EnsureCollectionAsync(new CollectionSpec(Name, 17, new ModelStamp("other", "g")), None).AsTask());
        await again.UpsertAsync(Name, [Point("new", Vector(17, 1000))], None);
        Assert.Equal(300, (await again.ListAsync(Name, PointFilter.All, 1000, "", false, None)).Points.Count);
    }

    [Fact]
    public async Task Every_acknowledged_point_survives_a_crash_exactly_once()
    {
        using var crashed = new TempFolder();
        var acked = new List<string>();
        await using (var store = await StartedAsync(8))
        {
            for (var i = 0; i < 40; i++)
            {
                await store.UpsertAsync(Name, [Point($"p{i % 30}", Vector(8, i))], None);
                acked.Add($"p{i % 30}");
            }

            // The files of a killed process: no checkpoint and no close.
            foreach (var file in Directory.GetFiles(_directory.Path, "embeddings.db*").Where(file => !file.EndsWith("-shm", StringComparison.Ordinal)))
            {
                await using var source = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
                await using var target = File.Create(Path.Combine(crashed.Path, Path.GetFileName(file)));
                await source.CopyToAsync(target, None);
            }
        }

        await using var again = await EmbeddedStores.StartAsync(crashed.Path);
        var found = (await again.ListAsync(Name, PointFilter.All, 1000, "", true, None)).Points;
        Assert.Equal(acked.Distinct().Order(), found.Select(point => point.Id).Order());
        Assert.Equal(Vector(8, 35), found.Single(point => point.Id == "p5").Vector.ToArray());
    }

    [Fact]
    public async Task A_full_store_rejects_new_points_but_replaces_and_deletes()
    {
        await using var store = await EmbeddedStores.StartAsync(_directory.Path, maxPoints: 3);
        await store.EnsureCollectionAsync(new CollectionSpec(Name, 2, null), None);
        await store.EnsureCollectionAsync(new CollectionSpec("other", 2, null), None);
        await store.UpsertAsync(Name, [Point("a", [1, 0]), Point("b", [1, 0])], None);

        var fault = await Assert.ThrowsAsync<Fault>(() => store.UpsertAsync("other", [Point("c", [1, 0]), Point("d", [1, 0])], None));
        Assert.Equal((FaultKind.ResourceExhausted, Reasons.StoreFull), (fault.Kind, fault.Reason));
        Assert.Contains("3 points", fault.Message, StringComparison.Ordinal);
        Assert.Contains("Store:Embedded:MaxPoints", fault.Message, StringComparison.Ordinal);
        Assert.Contains("Qdrant", fault.Message, StringComparison.Ordinal);
        Assert.Equal(0, await store.CountAsync("other", PointFilter.All, None));
        Assert.Empty((await store.ListAsync("other", PointFilter.All, 10, "", false, None)).Points);

        await store.UpsertAsync("other", [Point("c", [1, 0])], None);
        await store.UpsertAsync(Name, [Point("a", [0, 1]), Point("b", [0, 1]), Point("a", [0, 2])], None);
        await AssertFaultAsync(FaultKind.ResourceExhausted, Reasons.StoreFull, () => store.UpsertAsync(Name, [Point("e", [1, 0])], None));
        Assert.Equal(1, await store.DeleteAsync(Name, ["b"], None));
        await store.UpsertAsync(Name, [Point("e", [1, 0])], None);
        Assert.Equal(2, await store.CountAsync(Name, PointFilter.All, None));
        Assert.Null(await store.CheckAsync(None));
    }

    [Fact]
    public async Task A_second_server_on_the_directory_is_rejected_in_one_line()
    {
        await using (await StartedAsync(2))
        {
            var fault = await Assert.ThrowsAsync<Fault>(() => EmbeddedStores.StartAsync(_directory.Path));
            Assert.Contains("in use by another server", fault.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', fault.Message);
        }

        await using var next = await EmbeddedStores.StartAsync(_directory.Path);
        Assert.NotNull(await next.FindCollectionAsync(Name, None));
    }

    [Fact]
    public async Task A_newer_or_foreign_file_is_rejected()
    {
        await (await StartedAsync(2)).DisposeAsync();
        Execute("PRAGMA user_version = 99");
        var newer = await Assert.ThrowsAsync<Fault>(() => EmbeddedStores.StartAsync(_directory.Path));
        Assert.Contains("99", newer.Message, StringComparison.Ordinal);

        await File.WriteAllTextAsync(Database, string.Join(' ', Enumerable.Repeat("not a database", 1000)), None);
        await AssertFaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => EmbeddedStores.StartAsync(_directory.Path));
    }

    [Fact]
    public async Task Invalid_vectors_are_moved_away_at_start()
    {
        await using (var store = await StartedAsync(4))
        {
            await store.UpsertAsync(Name, [.. Enumerable.Range(0, 5).Select(i => Point($"p{i}", Vector(4, i)))], None);
        }

        Execute("UPDATE points_1 SET vector = x'0102' WHERE id = 'p1'");
        Execute("UPDATE points_1 SET vector = zeroblob(16) WHERE id = 'p2'");
        Execute("UPDATE points_1 SET vector = x'0000c07f0000c07f0000c07f0000c07f' WHERE id = 'p4'");
        await using var again = await EmbeddedStores.StartAsync(_directory.Path);
        Assert.Equal(2, await again.CountAsync(Name, PointFilter.All, None));
        Assert.Equal(["p0", "p3"], (await again.ListAsync(Name, PointFilter.All, 10, "", true, None)).Points.Select(point => point.Id));
        await again.UpsertAsync(Name, [Point("p1", Vector(4, 1))], None);
        Assert.Equal("p1", (await SearchAsync(again, Vector(4, 1), new SearchSpec()))[0].Point.Id);
    }

    [Fact]
    public async Task One_failing_request_does_not_fail_its_group()
    {
        await using var store = await StartedAsync(2);
        Execute("CREATE TRIGGER refuse BEFORE INSERT ON points_1 WHEN NEW.id LIKE 'poison%' BEGIN SELECT RAISE(ABORT, 'poisoned'); END");

        var writes = Enumerable.Range(0, 200)
            .Select(i => (Id: i % 20 == 3 ? $"poison{i}" : $"p{i}", i))
            .Select(item => (item.Id, Task: store.UpsertAsync(Name, [Point($"before{item.i}", [1, 0]), Point(item.Id, [1, 0])], None)))
            .ToList();
        await Task.WhenAll(writes.Select(write => write.Task.ContinueWith(_ => { }, TaskScheduler.Default)));

        Assert.All(writes, write => Assert.Equal(write.Id.StartsWith("poison", StringComparison.Ordinal), write.Task.IsFaulted));
        Assert.Equal(380, await store.CountAsync(Name, PointFilter.All, None));
        Assert.Equal(380, (await store.ListAsync(Name, PointFilter.All, 1000, "", false, None)).Points.Count);
        Assert.Null(await store.CheckAsync(None));
    }

    [Fact]
    public async Task Writes_and_searches_run_concurrently()
    {
        await using var store = await StartedAsync(64);
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, 500).Select(i => Point($"fixed{i}", Vector(64, i)))], None);
        var writers = Enumerable.Range(0, 4).Select(w => Task.Run(async () =>
        {
            for (var i = 0; i < 60; i++)
            {
                var id = $"w{w}-{i}";
                await store.UpsertAsync(Name, [Point(id, Vector(64, 10_000 + (w * 1000) + i))], None);
                Assert.Equal(id, (await SearchAsync(store, Vector(64, 10_000 + (w * 1000) + i), new SearchSpec { Limit = 1 }))[0].Point.Id);
                if (i % 2 == 1)
                {
                    Assert.Equal(1, await store.DeleteAsync(Name, [id], None));
                    Assert.NotEqual(id, (await SearchAsync(store, Vector(64, 10_000 + (w * 1000) + i), new SearchSpec { Limit = 1 }))[0].Point.Id);
                }
            }
        })).ToArray();
        var searchers = Enumerable.Range(0, 3).Select(s => Task.Run(async () =>
        {
            for (var i = s; !writers.All(writer => writer.IsCompleted); i = (i + 7) % 500)
            {
                // An unchanged point is in every result, wherever deletions move it.
                var hits = await SearchAsync(store, Vector(64, i), new SearchSpec { Limit = 3 });
                Assert.Equal($"fixed{i}", hits[0].Point.Id);
            }
        }));
        await Task.WhenAll(writers.Concat(searchers));
        Assert.Equal(500 + (4 * 30), await store.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task Closing_completes_waiting_writes_and_rejects_new_ones()
    {
        var store = await StartedAsync(2);
        var writes = Enumerable.Range(0, 100).Select(i => store.UpsertAsync(Name, [Point($"p{i}", [1, 0])], None)).ToList();
        await store.DisposeAsync();
        await Task.WhenAll(writes);
        await AssertFaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => store.UpsertAsync(Name, [Point("late", [1, 0])], None));
        Assert.NotNull(await store.CheckAsync(None));
        await store.DisposeAsync();
        await using var again = await EmbeddedStores.StartAsync(_directory.Path);
        Assert.Equal(100, await again.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task A_store_that_has_not_been_started_is_unavailable()
    {
        var options = new EmbeddedStoreOptions { Directory = _directory.Path };
        await using var store = new EmbeddedVectorStore(options, NullLogger<EmbeddedVectorStore>.Instance, TimeProvider.System);
        await AssertFaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => store.ListCollectionsAsync(None));
        Assert.NotNull(await store.CheckAsync(None));
    }

    private static float[] Vector(int dimension, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, dimension).Select(_ => (random.NextSingle() * 2) - 1)];
    }

    private async Task<EmbeddedVectorStore> StartedAsync(int dimension, ModelStamp? model = null)
    {
        var store = await EmbeddedStores.StartAsync(_directory.Path);
        await store.EnsureCollectionAsync(new CollectionSpec(Name, dimension, model), None);
        return store;
    }

    private void Execute(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Database};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
