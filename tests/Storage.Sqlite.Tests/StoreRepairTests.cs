using System.Runtime.InteropServices;
using Embeddings.Primitives;
using Embeddings.Testing;
using Embeddings.Testing.Stores;
using Microsoft.Data.Sqlite;
using static Embeddings.Testing.Stores.VectorStoreContract;

namespace Embeddings.Storage.Sqlite.Tests;

/// <summary>Damaged, lost, and old files.</summary>
public sealed class StoreRepairTests : IDisposable
{
    private const string Name = "faces";
    private const int Dimension = 64;
    private const int Points = 2000;
    private const int PageBytes = 8192;
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly TempFolder _directory = new();

    private string Database => SqliteSchema.PathIn(_directory.Path);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Flipped_bits_are_found_by_verify_and_at_the_start()
    {
        await FillAsync();
        using (var repair = StoreRepair.Open(_directory.Path))
        {
            var sound = repair.Verify(None);
            Assert.True(sound.IsSound);
            var collection = Assert.Single(sound.Collections);
            Assert.Equal((Name, Points, 0), (collection.Name, (int)collection.Points, (int)collection.WithoutChecksum));
        }

        string[] damaged = ["p100", "p1000", "p1500", "p1999"];
        Flip(MemoryMarshal.AsBytes(Vector(100).AsSpan()).ToArray());
        Flip(MemoryMarshal.AsBytes(Vector(1999).AsSpan()).ToArray());
        Flip("attribute-1000."u8.ToArray());
        Flip("media-1500."u8.ToArray());
        using (var repair = StoreRepair.Open(_directory.Path))
        {
            var check = repair.Verify(None);
            Assert.False(check.IsSound);
            Assert.Equal(damaged, Assert.Single(check.Collections).Damaged);
        }

        var log = new EventLog();
        await using var store = await EmbeddedStores.StartAsync(new EmbeddedStoreOptions { Directory = _directory.Path }, log);
        Assert.Contains("4 points", Assert.Single(log.Texts(4001)), StringComparison.Ordinal);
        Assert.Empty(log.Texts(4010));
        Assert.Equal(Points - damaged.Length, await store.CountAsync(Name, PointFilter.All, None));
        foreach (var id in damaged)
        {
            Assert.Null(await store.GetAsync(Name, id, None));
        }

        Assert.Equal("p101", (await SearchAsync(store, Vector(101), new SearchSpec()))[0].Point.Id);
        await store.UpsertAsync(Name, [Point(100)], None);
        Assert.Equal(Vector(100), (await store.GetAsync(Name, "p100", None))!.Vector.ToArray());
    }

    [Fact]
    public async Task Salvage_saves_what_is_readable_and_reports_what_is_lost()
    {
        await FillAsync();
        Flip(MemoryMarshal.AsBytes(Vector(3).AsSpan()).ToArray());
        // A page of the table in the middle, which ends every scan.
        var content = await File.ReadAllBytesAsync(Database, None);
        var at = content.AsSpan().IndexOf(MemoryMarshal.AsBytes(Vector(1000).AsSpan())) / PageBytes * PageBytes;
        content.AsSpan(at, PageBytes).Fill(0xA5);
        await File.WriteAllBytesAsync(Database, content, None);
        var fault = await Assert.ThrowsAsync<Fault>(() => EmbeddedStores.StartAsync(_directory.Path));
        Assert.Contains("store salvage", fault.Message, StringComparison.Ordinal);

        using var saved = new TempFolder();
        CollectionSalvage? salvage = null;
        await using (var target = await EmbeddedStores.StartAsync(saved.Path))
        {
            using var repair = StoreRepair.Open(_directory.Path);
            var check = repair.Verify(None);
            Assert.NotEmpty(check.Problems);
            await repair.SalvageAsync(target, found => salvage = found, None);
        }

        Assert.NotNull(salvage);
        Assert.Contains("p3", salvage.Lost);
        Assert.Equal(Points, salvage.Saved + salvage.Lost.Count);
        Assert.InRange(salvage.Lost.Count, 2, 100);
        Assert.True(salvage.IsComplete);
        await using var again = await EmbeddedStores.StartAsync(saved.Path);
        Assert.Equal(new CollectionInfo(Name, Dimension, salvage.Saved, new ModelStamp("m", "f")), await again.FindCollectionAsync(Name, None));
        Assert.Null(await again.GetAsync(Name, "p1000", None));
        foreach (var i in (int[])[0, 500, 1500, Points - 1])
        {
            var point = await again.GetAsync(Name, $"p{i}", None);
            Assert.Equal(Vector(i), point!.Vector.ToArray());
            Assert.Equal($"attribute-{i}.", (string?)point.Payload.Attributes!["a"]);
        }
    }

    [Fact]
    public async Task A_lost_database_is_not_taken_for_a_new_store()
    {
        // New directories have none of the files.
        await FillAsync();
        var content = await File.ReadAllBytesAsync(Database, None);

        await File.WriteAllBytesAsync(Database, [], None);
        await AssertRefusedAsync("is empty");
        File.Delete(Database);
        await AssertRefusedAsync("is missing");

        // A log alone, as of a copy without the database.
        await File.WriteAllBytesAsync(Database + "-wal", content, None);
        File.Delete(Path.Combine(_directory.Path, "embeddings.store"));
        await AssertRefusedAsync("is missing");
        await File.WriteAllBytesAsync(Database, [], None);
        await AssertRefusedAsync("is empty");

        File.Delete(Database + "-wal");
        await File.WriteAllBytesAsync(Database, content, None);
        await using var store = await EmbeddedStores.StartAsync(_directory.Path);
        Assert.Equal(Points, await store.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task A_store_of_schema_version_1_is_upgraded()
    {
        Execute("""
            PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;
            CREATE TABLE collections(
                id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, dimension INTEGER NOT NULL, model TEXT,
                fingerprint TEXT);
            CREATE TABLE damaged(
                collection TEXT, row INTEGER, id TEXT, job_id TEXT, media_store_id TEXT, face_index INTEGER, confidence REAL,
                bbox BLOB, landmarks BLOB, attributes TEXT, vector BLOB);
            INSERT INTO collections VALUES (1, 'faces', 2, 'm', 'f'), (2, 'empty', 3, NULL, NULL);
            """);
        foreach (var key in (int[])[1, 2])
        {
            Execute($"""
                CREATE TABLE points_{key}(
                    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, job_id TEXT NOT NULL, media_store_id TEXT NOT NULL,
                    face_index INTEGER, confidence REAL, bbox BLOB, landmarks BLOB, attributes TEXT, vector BLOB NOT NULL);
                CREATE INDEX points_{key}_job ON points_{key}(job_id);
                CREATE INDEX points_{key}_media ON points_{key}(media_store_id);
                """);
        }

        // More than one transaction of the upgrade; the last row was damaged before.
        Execute("""
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6001)
            INSERT INTO points_1 SELECT i, 'p' || i, 'job', 'media', i, 0.5, x'0000803f000000400000404000008040', NULL,
                CASE WHEN i % 2 = 0 THEN '{"k":1}' END, x'0000803f00000040' FROM n;
            UPDATE points_1 SET vector = x'00' WHERE row = 6001;
            PRAGMA user_version = 1;
            """);

        using (var repair = StoreRepair.Open(_directory.Path))
        {
            var check = repair.Verify(None);
            Assert.Equal(["p6001"], check.Collections.Single(collection => collection.Name == "faces").Damaged);
            Assert.Equal(6001, check.Collections.Sum(static collection => collection.WithoutChecksum));
        }

        await using (var store = await EmbeddedStores.StartAsync(_directory.Path))
        {
            Assert.Equal(new CollectionInfo("faces", 2, 6000, new ModelStamp("m", "f")), await store.FindCollectionAsync("faces", None));
            var point = await store.GetAsync("faces", "p2", None);
            Assert.Equal(
                (2, 0.5f, new BoundingBox(1, 2, 3, 4), 1),
                (point!.Payload.FaceIndex!.Value, point.Payload.Confidence!.Value, point.Payload.Bbox!.Value, (int)point.Payload.Attributes!["k"]!));
            await store.UpsertAsync("faces", [VectorStoreContract.Point("new", [1, 1])], None);
            await store.UpsertAsync("empty", [VectorStoreContract.Point("new", [1, 1, 1])], None);
        }

        Assert.Equal((long)SqliteSchema.Version, Scalar("PRAGMA user_version"));
        Assert.Equal(0L, Scalar("SELECT count(*) FROM points_1 WHERE checksum IS NULL"));
        Assert.Equal(1L, Scalar("SELECT count(*) FROM damaged"));
        Execute("UPDATE points_1 SET vector = x'0000803f00000041' WHERE row = 1");
        using var again = StoreRepair.Open(_directory.Path);
        Assert.Equal(["p1"], again.Verify(None).Collections.Single(collection => collection.Name == "faces").Damaged);
    }

    [Fact]
    public void A_directory_without_a_store_is_not_created_by_verify()
    {
        var missing = Path.Combine(_directory.Path, "none");
        Assert.Contains("There is no store", Assert.Throws<Fault>(() => StoreRepair.Open(missing)).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(missing));
    }

    private static StoredPoint Point(int i) => new($"p{i}", Vector(i), new PointPayload
    {
        JobId = $"job-{i}",
        MediaStoreId = $"media-{i}.",
        Confidence = i / (float)Points,
        Attributes = new() { ["a"] = $"attribute-{i}." },
    });

    private static float[] Vector(int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, Dimension).Select(_ => random.NextSingle() - 0.5f)];
    }

    private async Task AssertRefusedAsync(string reason)
    {
        var fault = await Assert.ThrowsAsync<Fault>(() => EmbeddedStores.StartAsync(_directory.Path));
        Assert.Equal((FaultKind.Unavailable, Reasons.StoreUnavailable), (fault.Kind, fault.Reason));
        Assert.Contains(reason, fault.Message, StringComparison.Ordinal);
        Assert.Contains("Restore the file from a backup", fault.Message, StringComparison.Ordinal);
    }

    private async Task FillAsync()
    {
        await using var store = await EmbeddedStores.StartAsync(_directory.Path);
        await store.EnsureCollectionAsync(new CollectionSpec(Name, Dimension, new ModelStamp("m", "f")), None);
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, Points).Select(Point)], None);
    }

    /// <summary>Flips a bit where the bytes are in the table: last, because the indexes have a part of the bytes, too.</summary>
    private void Flip(byte[] bytes)
    {
        var content = File.ReadAllBytes(Database);
        var found = Enumerable.Range(0, content.Length - bytes.Length)
            .Where(at => content.AsSpan(at, bytes.Length).SequenceEqual(bytes))
            .Last(at => IsLeafOfTable(content, at));
        content[found + 3] ^= 0x10;
        File.WriteAllBytes(Database, content);
    }

    // 13: a leaf of a table, not of an index (file format, section 1.6).
    private static bool IsLeafOfTable(byte[] content, int at) => content[at / PageBytes * PageBytes] == 13;

    private void Execute(string sql)
    {
        using var connection = Connect();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private object? Scalar(string sql)
    {
        using var connection = Connect();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    private SqliteConnection Connect()
    {
        var connection = new SqliteConnection($"Data Source={Database};Pooling=False");
        connection.Open();
        return connection;
    }
}
