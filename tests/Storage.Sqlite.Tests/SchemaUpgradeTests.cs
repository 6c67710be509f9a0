using System.IO.Compression;
using System.Runtime.CompilerServices;
using Embeddings.Testing;
using Embeddings.Testing.Stores;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite.Tests;

/// <summary>A file that a server with schema version 3 has written.</summary>
public sealed class SchemaUpgradeTests : IDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly TempFolder _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_store_of_version_3_is_upgraded_without_loss()
    {
        Extract();
        var before = Content();
        Assert.Contains("user_version 3", before);
        using (var repair = StoreRepair.Open(_directory.Path))
        {
            Assert.True(repair.Verify(None).IsSound);
        }

        await using (var store = await EmbeddedStores.StartAsync(_directory.Path))
        {
            Assert.Equal(["empty", "faces"], (await store.ListCollectionsAsync(None)).Select(info => info.Name));
            var faces = (await store.FindCollectionAsync("faces", None))!;
            Assert.Equal((4, 50L, CollectionSettings.None), (faces.Dimension, faces.Count, faces.Settings));
            Assert.Empty(faces.IndexedAttributes);
            Assert.Empty(await store.AliasesAsync(None));
            var point = (await store.GetAsync("faces", "p7", None))!;
            Assert.Equal(("job-1", "media-7", 7, 0.5f), (point.Payload.JobId, point.Payload.MediaStoreId, point.Payload.FaceIndex, point.Payload.Confidence));
            Assert.Equal("{\"n\":7,\"tag\":\"a\"}", point.Payload.Attributes!.ToJsonString());
            Assert.Equal([8, 7, 0, 1], point.Vector.ToArray());
            Assert.True(point.Payload.OnHold);
            Assert.NotNull(point.Payload.StoredAt);
        }

        // Nothing but the version and the new tables, which are empty.
        var after = Content();
        Assert.Equal(
            before.Select(line => line == "user_version 3" ? "user_version 4" : line),
            after);
        Assert.Equal(0L, Scalar("SELECT (SELECT count(*) FROM collection_settings) + (SELECT count(*) FROM aliases)"));

        await using (var store = await EmbeddedStores.StartAsync(_directory.Path))
        {
            await store.UpdateSettingsAsync("faces", new() { Retention = TimeSpan.FromDays(1), ApproximateIndex = new(8, 64) }, None);
            await store.SetIndexedAttributesAsync("faces", [new(["n"], AttributeType.Number)], [], None);
            await store.UpdateAliasesAsync([new("people", "faces")], [], None);
        }

        await using (var store = await EmbeddedStores.StartAsync(_directory.Path))
        {
            var faces = (await store.FindCollectionAsync("faces", None))!;
            Assert.Equal(new() { Retention = TimeSpan.FromDays(1), ApproximateIndex = new(8, 64) }, faces.Settings);
            Assert.Equal([new(["n"], AttributeType.Number)], faces.IndexedAttributes);
            Assert.Equal("faces", (await store.AliasesAsync(None))["people"]);
        }
    }

    [Fact]
    public async Task Salvage_keeps_settings_and_aliases()
    {
        await using (var store = await EmbeddedStores.StartAsync(_directory.Path))
        {
            await store.CreateCollectionAsync(
                new("faces", 2, null), new() { Retention = TimeSpan.FromDays(1) }, [new(["n"], AttributeType.Number)], None);
            await store.UpdateAliasesAsync([new("people", "faces")], [], None);
        }

        using var to = new TempFolder();
        await using var target = await EmbeddedStores.StartAsync(to.Path);
        using (var repair = StoreRepair.Open(_directory.Path))
        {
            await repair.SalvageAsync(target, _ => { }, None);
        }

        var faces = (await target.FindCollectionAsync("faces", None))!;
        Assert.Equal((TimeSpan.FromDays(1), 1), (faces.Settings.Retention, faces.IndexedAttributes.Count));
        Assert.Equal("faces", (await target.AliasesAsync(None))["people"]);
    }

    private void Extract([CallerFilePath] string here = "")
    {
        using var packed = new GZipStream(
            File.OpenRead(Path.Combine(Path.GetDirectoryName(here)!, "Files", "version-3.db.gz")), CompressionMode.Decompress);
        using var file = File.Create(SqliteSchema.PathIn(_directory.Path));
        packed.CopyTo(file);
    }

    // All rows of all tables that version 3 has.
    private List<string> Content()
    {
        using var connection = Open();
        var content = new List<string> { $"user_version {Scalar("PRAGMA user_version")}" };
        foreach (var table in (string[])["collections", "damaged", "facts", "points_1", "points_2"])
        {
            using var command = connection.CreateCommand();
            command.CommandText = $"SELECT * FROM {table} ORDER BY 1";
            using var reader = command.ExecuteReader();
            while (reader.Read())
            {
                var row = Enumerable.Range(0, reader.FieldCount).Select(i => $"{reader.GetName(i)}={Text(reader.GetValue(i))}");
                content.Add($"{table}: {string.Join(' ', row)}");
            }
        }

        return content;

        static string Text(object value) => value is byte[] bytes ? Convert.ToHexString(bytes) : $"{value}";
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
