using Embeddings.Primitives;
using Embeddings.Testing;
using Embeddings.Testing.Stores;
using static Embeddings.Testing.Stores.VectorStoreContract;

namespace Embeddings.Storage.Sqlite.Tests;

/// <summary>The store on a real file system that is full.</summary>
public sealed class DiskFullTests
{
    private const string Name = "faces";
    private const int Dimension = 512;
    private const int Points = 1000;
    private static readonly CancellationToken None = CancellationToken.None;

    [SmallDiskFact]
    public async Task On_a_full_disk_reads_and_deletions_work_and_writes_return_with_space()
    {
        await using var disk = await SmallDisk.MountAsync(64);
        var log = new EventLog();
        await using (var store = await StartAsync(disk, log))
        {
            await FillStoreAsync(store);
            disk.Fill();
            var fault = await UpsertUntilFaultAsync(store, "new");
            Assert.Equal((FaultKind.Unavailable, Reasons.StoreUnavailable), (fault.Kind, fault.Reason));
            Assert.Contains("is full", fault.Message, StringComparison.Ordinal);
            Assert.Contains("is full", await store.CheckWritesAsync(None), StringComparison.Ordinal);
            Assert.Single(log.Texts(4008));

            await AssertServesReadsAsync(store);
            Assert.Equal(600, await store.DeleteAsync(Name, [.. Enumerable.Range(0, 600).Select(i => $"p{i}")], None));
            Assert.Equal(1, await store.DeleteAsync(Name, new PointFilter { JobId = "job-700" }, None));
            Assert.Null(await store.GetAsync(Name, "p1", None));

            // The deleted points have made room.
            await store.UpsertAsync(Name, [.. Enumerable.Range(0, 100).Select(Point)], None);
            Assert.Null(await store.CheckWritesAsync(None));

            await UpsertUntilFaultAsync(store, "more");
            disk.Free();
            Assert.Null(await store.CheckWritesAsync(None));
            await store.UpsertAsync(Name, [Point(9999)], None);
        }

        await using var again = await StartAsync(disk, log);
        Assert.Null(await again.CheckWritesAsync(None));
        Assert.NotNull(await again.GetAsync(Name, "p9999", None));
        Assert.NotNull(await again.GetAsync(Name, "p99", None));
        Assert.Null(await again.GetAsync(Name, "p100", None));
    }

    [SmallDiskFact]
    public async Task A_start_on_a_full_disk_serves_reads_and_recovers()
    {
        await using var disk = await SmallDisk.MountAsync(32);
        await using (var store = await StartAsync(disk, new EventLog()))
        {
            await FillStoreAsync(store);
        }

        disk.Fill();
        var log = new EventLog();
        await using var again = await StartAsync(disk, log);
        Assert.Single(log.Texts(4008));
        Assert.Null(await again.CheckAsync(None));
        Assert.Contains("is full", await again.CheckWritesAsync(None), StringComparison.Ordinal);
        await AssertServesReadsAsync(again);
        await AssertFaultAsync(
            FaultKind.Unavailable, Reasons.StoreUnavailable, () => again.UpsertAsync(Name, [Point(1)], None));
        Assert.Equal(1, await again.DeleteAsync(Name, ["p0"], None));

        disk.Free();
        Assert.Null(await again.CheckWritesAsync(None));
        await again.UpsertAsync(Name, [Point(5000)], None);
        Assert.Equal(Points, await again.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task A_read_only_directory_is_reported_as_read_only()
    {
        if (SmallDisk.Missing is null)
        {
            await using var disk = await SmallDisk.MountAsync(8);
            await disk.MakeReadOnlyAsync();
            await AssertReadOnlyAsync(disk.Path);
        }
        else if (!OperatingSystem.IsWindows())
        {
            using var directory = new TempFolder();
            File.SetUnixFileMode(directory.Path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
            await AssertReadOnlyAsync(directory.Path);
            File.SetUnixFileMode(directory.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    private static async Task AssertReadOnlyAsync(string directory)
    {
        var fault = await Assert.ThrowsAsync<Fault>(() => EmbeddedStores.StartAsync(directory));
        Assert.Contains("is read-only", fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("in use", fault.Message, StringComparison.Ordinal);
    }

    private static async Task AssertServesReadsAsync(EmbeddedVectorStore store)
    {
        Assert.Equal("p7", (await SearchAsync(store, Vector(7), new SearchSpec { Limit = 1 }))[0].Point.Id);
        Assert.Equal(Vector(8), (await store.GetAsync(Name, "p8", None))!.Vector.ToArray());
        Assert.Equal(1, await store.CountAsync(Name, new PointFilter { JobId = "job-9" }, None));
    }

    private static async Task<EmbeddedVectorStore> StartAsync(SmallDisk disk, EventLog log) =>
        await EmbeddedStores.StartAsync(new EmbeddedStoreOptions { Directory = Path.Combine(disk.Path, "data"), ReserveBytes = 4 << 20, IndexFilePoints = 100 }, log);

    private static async Task FillStoreAsync(EmbeddedVectorStore store)
    {
        await store.EnsureCollectionAsync(new CollectionSpec(Name, Dimension, null), None);
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, Points).Select(Point)], None);
    }

    // A full disk still has the space of the log.
    private static async Task<Fault> UpsertUntilFaultAsync(EmbeddedVectorStore store, string prefix)
    {
        for (var batch = 0; batch < 1000; batch++)
        {
            var points = Enumerable.Range(0, 50).Select(i => Point(i) with { Id = $"{prefix}{batch}-{i}" });
            if (await Record.ExceptionAsync(() => store.UpsertAsync(Name, [.. points], None)) is { } error)
            {
                return Assert.IsType<Fault>(error);
            }
        }

        throw new InvalidOperationException("The disk does not get full.");
    }

    private static StoredPoint Point(int i) => new($"p{i}", Vector(i), new PointPayload { JobId = $"job-{i}" });

    private static float[] Vector(int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, Dimension).Select(_ => random.NextSingle() - 0.5f)];
    }
}
