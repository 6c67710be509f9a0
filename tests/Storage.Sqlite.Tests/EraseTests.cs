using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using Embeddings.Testing;
using Embeddings.Testing.Stores;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;

namespace Embeddings.Storage.Sqlite.Tests;

/// <summary>Deleted and replaced points are not in any file of the store any more.</summary>
public sealed class EraseTests : IDisposable
{
    private const string Name = "faces";
    private const int Seconds = 60;
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly TempFolder _directory = new();
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(56));

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(512)]
    // Vectors that overflow to pages of their own.
    [InlineData(5000)]
    public async Task Nothing_is_left_of_a_deleted_point(int dimension)
    {
        await using var store = await StartedAsync(dimension);
        await store.UpsertAsync(Name, Points(dimension, 0, 300), None);
        await store.DeleteAsync(Name, Ids(100, 20), None);
        await store.DeleteAsync(Name, new PointFilter { JobId = Job(205) }, None);
        await AreErasedAsync(dimension, [.. Enumerable.Range(100, 20), .. Enumerable.Range(200, 10)]);
        await AreStoredAsync(store, dimension, 0, 99);
        await AreStoredAsync(store, dimension, 210, 299);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(5000)]
    public async Task Nothing_is_left_of_a_dropped_collection(int points)
    {
        await using var store = await StartedAsync(64);
        await store.EnsureCollectionAsync(new("other", 64, null), None);
        await store.UpsertAsync("other", Points(64, 10_000, 100), None);
        await store.UpsertAsync(Name, Points(64, 0, points), None);
        Assert.Equal(points, await store.DropCollectionAsync(Name, None));
        Assert.Null(await store.FindCollectionAsync(Name, None));
        await AreErasedAsync(64, [.. Enumerable.Range(0, points)]);
        Assert.Equal(100, await store.CountAsync("other", new PointFilter { MediaStoreId = "media" }, None));
        // The name can be used again.
        await store.EnsureCollectionAsync(new(Name, 3, null), None);
        await store.UpsertAsync(Name, [VectorStoreContract.Point("p", [1, 2, 3])], None);
        Assert.Equal(1, await store.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task Nothing_is_left_of_replaced_points_faces_and_attributes()
    {
        const int Dimension = 300;
        await using var store = await StartedAsync(Dimension);
        // The index has the values, too.
        await store.SetIndexedAttributesAsync(Name, [new("name", AttributeType.Text)], [], None);
        await store.UpsertAsync(Name, Points(Dimension, 0, 50), None);
        // Replaced by points with the same ids.
        await store.UpsertAsync(
            Name,
            [.. Points(Dimension, 1000, 20).Select((point, i) => point with { Id = Id(i), Payload = PointPayload.Empty })],
            None);
        await AreErasedAsync(Dimension, [.. Enumerable.Range(0, 20)], withIds: false);

        StoredPoint Face(int i, int index) =>
            new($"job-{index}", Vector(Dimension, i), Payload(i) with { JobId = "job", FaceIndex = index });
        await store.ReplaceFacesAsync(Name, "job", [Face(2000, 0), Face(2001, 1), Face(2002, 2)], None);
        Assert.Equal(1, await store.ReplaceFacesAsync(Name, "job", [Face(3000, 0), Face(3001, 1)], None));
        await AreErasedAsync(Dimension, [2000, 2001, 2002], withIds: false);

        await store.UpdateAttributesAsync(Name, [Id(30)], _ => new JsonObject { ["name"] = "Somebody-else-entirely" }, None);
        await AreErasedAsync(Dimension, [30], withIds: false, withVectors: false);
        await AreStoredAsync(store, Dimension, 31, 49);
        await store.SetIndexedAttributesAsync(Name, [new("more", AttributeType.Text)], [new("name", AttributeType.Text)], None);
        await store.DeleteAsync(Name, Ids(31, 10), None);
        await AreErasedAsync(Dimension, [.. Enumerable.Range(31, 10)]);
    }

    [Fact]
    public async Task Nothing_is_left_after_many_changes_that_move_points_between_pages()
    {
        var random = new Random(7);
        await using var store = await StartedAsync(128);
        var live = new List<int>();
        var next = 0;
        for (var round = 0; round < 60; round++)
        {
            var added = Enumerable.Range(next, 80).ToArray();
            next += added.Length;
            live.AddRange(added);
            await store.UpsertAsync(Name, [.. added.OrderBy(_ => random.Next()).Select(i => Point(128, i))], None);
            var removed = live.OrderBy(_ => random.Next()).Take(random.Next(60)).ToArray();
            live.RemoveAll(removed.Contains);
            await store.DeleteAsync(Name, [.. removed.Select(Id)], None);
        }

        await AreErasedAsync(128, [.. Enumerable.Range(0, next).Except(live)]);
        foreach (var i in live.Take(200))
        {
            Assert.Equal(Vector(128, i), (await store.GetAsync(Name, Id(i), None))!.Vector.ToArray());
        }

        await store.DisposeAsync();
        Assert.Equal("ok", Scalar("PRAGMA integrity_check"));
    }

    [Fact]
    public async Task Nothing_is_left_after_a_stop_without_waiting()
    {
        await using (var store = await StartedAsync(200))
        {
            await store.UpsertAsync(Name, Points(200, 0, 3000), None);
            await store.DeleteAsync(Name, Ids(50, 500), None);
            Assert.NotEmpty(Left(200, [50]));
        }

        Assert.Empty(Left(200, [.. Enumerable.Range(50, 500)]));
        Assert.Equal(0L, Scalar("SELECT value FROM facts WHERE name = 'erasing'"));
    }

    [Fact]
    public async Task A_reader_delays_the_end_only_until_it_ends()
    {
        await using var store = await StartedAsync(200);
        await store.UpsertAsync(Name, Points(200, 0, 100), None);
        using (var reader = SqliteSchema.Open(_directory.Path, readOnly: true))
        {
            reader.Execute("BEGIN");
            Assert.Equal(100L, reader.Scalar("SELECT count(*) FROM points_1"));
            await store.DeleteAsync(Name, Ids(0, 50), None);
            _time.Advance(TimeSpan.FromSeconds(Seconds));
            // Writers go on.
            await store.UpsertAsync(Name, Points(200, 500, 10), None);
            Assert.Equal(100L, reader.Scalar("SELECT count(*) FROM points_1"));
            Assert.NotEmpty(Left(200, [0]));
            reader.Execute("COMMIT");
        }

        await AreErasedAsync(200, [.. Enumerable.Range(0, 50)]);
    }

    [Fact]
    public async Task Writes_during_the_erasure_are_neither_lost_nor_damaged()
    {
        await using var store = await StartedAsync(64);
        // More pages than the writer scrubs itself.
        for (var i = 0; i < 10; i++)
        {
            await store.UpsertAsync(Name, Points(64, i * 10_000, 10_000), None);
        }

        var deleted = new List<int>();
        var last = 100_000;
        using var stop = new CancellationTokenSource();
        var writing = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                await store.UpsertAsync(Name, Points(64, last, 200), None);
                last += 200;
            }
        });
        for (var i = 0; i < 20; i++)
        {
            await store.DeleteAsync(Name, Ids(i * 5000, 100), None);
            deleted.AddRange(Enumerable.Range(i * 5000, 100));
            _time.Advance(TimeSpan.FromSeconds(Seconds));
            await Task.Delay(20);
        }

        await stop.CancelAsync();
        await writing;
        await AreErasedAsync(64, deleted);
        Assert.Equal(last - deleted.Count, await store.CountAsync(Name, new PointFilter { MediaStoreId = "media" }, None));
        await store.DisposeAsync();
        using var repair = StoreRepair.Open(_directory.Path);
        var check = repair.Verify(None);
        Assert.True(check.IsSound, string.Join(' ', check.Problems));
        Assert.Equal(last - deleted.Count, Assert.Single(check.Collections).Points);
    }

    [Fact]
    public async Task A_damaged_point_is_deleted_too()
    {
        await using (var store = await StartedAsync(100))
        {
            await store.UpsertAsync(Name, Points(100, 0, 40), None);
        }

        Execute("UPDATE points_1 SET confidence = 0.123");
        await using var again = await StartedAsync(100);
        Assert.Equal(0, await again.CountAsync(Name, PointFilter.All, None));
        Assert.NotEmpty(Left(100, [3]));
        await again.DeleteAsync(Name, [Id(3)], None);
        await again.DeleteAsync(Name, new PointFilter { JobId = Job(10) }, None);
        await AreErasedAsync(100, [3, .. Enumerable.Range(10, 10)]);
        await again.DropCollectionAsync(Name, None);
        await AreErasedAsync(100, [.. Enumerable.Range(0, 40)]);
    }

    [Fact]
    public async Task A_store_of_version_2_is_upgraded_and_compacted()
    {
        await using (var store = await StartedAsync(300))
        {
            await store.UpsertAsync(Name, Points(300, 0, 200), None);
        }

        MakeVersion2();
        // As the earlier version deleted: without overwriting.
        Execute("DELETE FROM points_1 WHERE row BETWEEN 21 AND 180");
        using (var repair = StoreRepair.Open(_directory.Path))
        {
            var check = repair.Verify(None);
            Assert.True(check.IsSound);
            Assert.Equal(40, Assert.Single(check.Collections).Points);
        }

        var log = new EventLog();
        var options = new EmbeddedStoreOptions { Directory = _directory.Path, EraseSeconds = Seconds };
        var upgraded = _time.GetUtcNow();
        await using (var store = await EmbeddedStores.StartAsync(options, log, _time))
        {
            Assert.Single(log.Texts(4012));
            await AreStoredAsync(store, 300, 0, 19);
            Assert.Null((await store.GetAsync(Name, Id(0), None))!.Payload.StoredAt);
            // Without a time of their own, they count as stored at the upgrade.
            Assert.Equal(0, await store.DeleteExpiredAsync(Name, upgraded, upgraded.AddMilliseconds(-1), 100, None));
            Assert.Equal(1, await store.SetHoldAsync(Name, [Id(1)], true, None));
            Assert.Equal(7, await store.DeleteExpiredAsync(Name, upgraded, upgraded, 7, None));
            await store.UpsertAsync(Name, [Point(300, 500)], None);
        }

        Assert.Equal((long)SqliteSchema.Version, Scalar("PRAGMA user_version"));
        Assert.NotEmpty(Left(300, [.. Enumerable.Range(20, 160)]));
        using (var repair = StoreRepair.Open(_directory.Path))
        {
            repair.Compact(dropDamaged: false);
        }

        Assert.Empty(Left(300, [.. Enumerable.Range(20, 160)]));
        await using var again = await StartedAsync(300);
        Assert.Equal(40 - 7 + 1, await again.CountAsync(Name, PointFilter.All, None));
        Assert.True((await again.GetAsync(Name, Id(1), None))!.Payload.OnHold);
    }

    [Fact]
    public async Task A_full_log_is_scrubbed_after_it_has_restarted_many_times()
    {
        await using var store = await StartedAsync(2000);
        // 160 MB of log.
        for (var i = 0; i < 20; i++)
        {
            await store.UpsertAsync(Name, Points(2000, i * 1000, 1000), None);
        }

        await store.DeleteAsync(Name, Ids(5000, 1000), None);
        await AreErasedAsync(2000, [.. Enumerable.Range(5000, 1000)]);
    }

    private async Task<EmbeddedVectorStore> StartedAsync(int dimension)
    {
        var options = new EmbeddedStoreOptions { Directory = _directory.Path, EraseSeconds = Seconds, ReserveBytes = 1 << 20 };
        var store = await EmbeddedStores.StartAsync(options, time: _time);
        await store.EnsureCollectionAsync(new(Name, dimension, null), None);
        return store;
    }

    // Waits for the work in the background, in time of its own.
    private async Task AreErasedAsync(
        int dimension, IReadOnlyCollection<int> points, bool withIds = true, bool withVectors = true)
    {
        IReadOnlyList<string> left = [];
        _time.Advance(TimeSpan.FromSeconds(Seconds));
        for (var attempt = 0; attempt < 300; attempt++)
        {
            left = Left(dimension, points, withIds, withVectors);
            if (left.Count == 0)
            {
                return;
            }

            await Task.Delay(100);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Fail($"{left.Count} traces are left, for example {left[0]}.");
    }

    private static async Task AreStoredAsync(EmbeddedVectorStore store, int dimension, int first, int last)
    {
        for (var i = first; i <= last; i++)
        {
            var point = await store.GetAsync(Name, Id(i), None);
            Assert.Equal(Vector(dimension, i), point!.Vector.ToArray());
            Assert.Equal(Secret(i), (string)point.Payload.Attributes!["name"]!);
        }
    }

    /// <summary>Returns the traces of points in all files of the store: 64 bytes of the vector, texts, and ids.</summary>
    private List<string> Left(int dimension, IReadOnlyCollection<int> points, bool withIds = true, bool withVectors = true)
    {
        // By their first bytes, so that the files are read only once.
        var traces = new Dictionary<ulong, List<(byte[] Bytes, string What)>>();
        foreach (var i in points)
        {
            Add(Encoding.UTF8.GetBytes(Secret(i)), $"attribute of {i}");
            if (withVectors)
            {
                Add(MemoryMarshal.AsBytes(Vector(dimension, i).AsSpan(8, 16)).ToArray(), $"vector of {i}");
            }

            if (withIds)
            {
                Add(Encoding.UTF8.GetBytes(Id(i)), $"id of {i}");
            }
        }

        var left = new List<string>();
        foreach (var path in Directory.GetFiles(_directory.Path, "*", SearchOption.AllDirectories))
        {
            if (Path.GetFileName(path) == "embeddings.lock")
            {
                continue;
            }

            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

            var bytes = new byte[file.Length];
            var read = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            for (var at = 0; at + 8 <= read; at++)
            {
                if (traces.TryGetValue(MemoryMarshal.Read<ulong>(bytes.AsSpan(at)), out var some))
                {
                    left.AddRange(some
                        .Where(trace => bytes.AsSpan(at).StartsWith(trace.Bytes))
                        .Select(trace => $"{trace.What} in {Path.GetFileName(path)} at {at}"));
                }
            }
        }

        return left;

        void Add(byte[] bytes, string what)
        {
            var key = MemoryMarshal.Read<ulong>(bytes);
            if (!traces.TryGetValue(key, out var list))
            {
                traces.Add(key, list = []);
            }

            list.Add((bytes, what));
        }
    }

    private static StoredPoint[] Points(int dimension, int first, int count) =>
        [.. Enumerable.Range(first, count).Select(i => Point(dimension, i))];

    private static StoredPoint Point(int dimension, int i) => new(Id(i), Vector(dimension, i), Payload(i));

    private static PointPayload Payload(int i) => new()
    {
        JobId = Job(i),
        MediaStoreId = "media",
        Attributes = new() { ["name"] = Secret(i), ["more"] = new string('x', i % 300) },
    };

    private static string[] Ids(int first, int count) => [.. Enumerable.Range(first, count).Select(Id)];

    // The digits come first, so that the first eight bytes of traces differ.
    private static string Id(int i) => string.Create(CultureInfo.InvariantCulture, $"{i:D7}~point-with-a-long-id");

    private static string Secret(int i) => string.Create(CultureInfo.InvariantCulture, $"{i:D7}!Ada Lovelace, London");

    private static string Job(int i) => string.Create(CultureInfo.InvariantCulture, $"job-{i / 10}");

    private static float[] Vector(int dimension, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, dimension).Select(_ => (float)random.NextDouble() - 0.5f)];
    }

    // Version 2 had neither times nor holds, and its checksums are those of points without times.
    private void MakeVersion2()
    {
        using var session = SqliteSchema.Open(_directory.Path, readOnly: false);
        session.Execute("UPDATE points_1 SET stored_at = NULL");
        var checksums = new List<(long Row, long Checksum)>();
        using (var select = new PreparedStatement(session.Connection.Handle!, $"SELECT {PointChecksum.Columns}, row FROM points_1"))
        {
            while (select.Step())
            {
                checksums.Add((select.Integer(PointChecksum.RowColumn), PointChecksum.Of(select)));
            }
        }

        foreach (var (row, checksum) in checksums)
        {
            session.Execute("UPDATE points_1 SET checksum = $1 WHERE row = $2", checksum, row);
        }

        SqliteSchema.Run(session.Connection, "DROP INDEX points_1_expiry; DROP INDEX points_1_hold; DROP TABLE facts;");
        foreach (var table in (string[])["points_1", "damaged"])
        {
            foreach (var column in (string[])["stored_at", "expires_at", "hold"])
            {
                SqliteSchema.Run(session.Connection, $"ALTER TABLE {table} DROP COLUMN {column}");
            }
        }

        SqliteSchema.Run(session.Connection, "PRAGMA user_version = 2");
    }

    private void Execute(string sql)
    {
        using var connection = Open();
        SqliteSchema.Run(connection, sql);
    }

    private object? Scalar(string sql)
    {
        using var connection = Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    private SqliteConnection Open()
    {
        var connection = new SqliteConnection($"Data Source={SqliteSchema.PathIn(_directory.Path)};Pooling=False");
        connection.Open();
        return connection;
    }
}
