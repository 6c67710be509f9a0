using System.Runtime.InteropServices;
using Embeddings.Primitives.Numerics;
using Embeddings.Testing;
using Embeddings.Testing.Stores;
using Microsoft.Extensions.Time.Testing;

namespace Embeddings.Storage.Sqlite.Tests;

/// <summary>A start with the file of an index has the same index as one without, whatever happened to the file.</summary>
public sealed class IndexFileTests : IDisposable
{
    private const string Name = "points";
    private const int Dimension = 96;
    private const int Loaded = 4030;
    private const int Discarded = 4031;
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly TempFolder _directory = new();
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(56));
    private readonly Random _random = new(11);
    private int _next;

    private string FilePath => Path.Combine(_directory.Path, "embeddings.index.1");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_restart_reads_the_file()
    {
        await using (var store = await StartedAsync())
        {
            await AddAsync(store, 1000);
            await DeleteAsync(store, 100);
        }

        Assert.Equal(["900 points, 0 points"], await RestartAsync());
        Assert.Equal(["900 points, 0 points"], await RestartAsync(async store => await AddAsync(store, 50)));
        Assert.Equal(["950 points, 0 points"], await RestartAsync());
    }

    [Fact]
    public async Task Small_collections_have_no_file()
    {
        await using (var store = await StartedAsync())
        {
            await AddAsync(store, 99);
        }

        Assert.False(File.Exists(FilePath));
        await RestartAsync(async store => await AddAsync(store, 1));
        Assert.True(File.Exists(FilePath));
    }

    [Fact]
    public async Task A_crash_at_any_step_leaves_a_file_that_leads_to_the_right_index()
    {
        var crashes = new List<TempFolder>();
        try
        {
            await using (var store = await StartedAsync())
            {
                var steps = new HashSet<string>();
                store.Engine.IndexFiles.Step = step =>
                {
                    steps.Add(step);
                    crashes.Add(Crash());
                };
                await AddAsync(store, 300);
                for (var round = 0; round < 6; round++)
                {
                    await store.Engine.IndexFiles.SyncAsync(all: true, None);
                    await AddAsync(store, _random.Next(200));
                    crashes.Add(Crash());
                    await ReplaceAsync(store, _random.Next(1, 100));
                    await DeleteAsync(store, _random.Next(1, 150));
                    crashes.Add(Crash());
                }

                Assert.Equal(10, steps.Count);
                store.Engine.IndexFiles.Step = null;
            }

            Assert.InRange(crashes.Count, 40, 1000);
            var (loaded, discarded) = (0, 0);
            foreach (var crash in crashes)
            {
                var log = new EventLog();
                await using var again = await StartedAsync(crash.Path, log);
                await CompareAsync(again, crash.Path);
                loaded += log.Texts(Loaded).Count();
                discarded += log.Texts(Discarded).Count();
            }

            // Only the very first file is not complete.
            Assert.InRange(loaded, crashes.Count - 5, crashes.Count);
            Assert.InRange(discarded, 0, 2);
        }
        finally
        {
            crashes.ForEach(static crash => crash.Dispose());
        }
    }

    [Fact]
    public async Task Damage_to_the_file_is_found_and_repaired()
    {
        await using (var store = await StartedAsync())
        {
            await AddAsync(store, 1000);
        }

        var good = await File.ReadAllBytesAsync(FilePath, None);
        for (var round = 0; round < 25; round++)
        {
            var bytes = (byte[])good.Clone();
            switch (round % 5)
            {
                case 0:
                    bytes = bytes[..(round == 0 ? 0 : _random.Next(bytes.Length))];
                    break;
                case 1:
                    bytes[_random.Next(64)] ^= 1;
                    break;
                case 2:
                    bytes.AsSpan(_random.Next(bytes.Length)).Clear();
                    break;
                case 3:
                    // Blocks in the wrong places.
                    var block = (bytes.Length - 4096) / 16;
                    bytes.AsSpan(4096, 3 * block).CopyTo(bytes.AsSpan(4096 + block));
                    break;
                default:
                    for (var i = 0; i < 20; i++)
                    {
                        bytes[_random.Next(4096, bytes.Length)] ^= (byte)_random.Next(1, 256);
                    }

                    break;
            }

            await File.WriteAllBytesAsync(FilePath, bytes, None);
            await RestartAsync();
        }

        Assert.Equal(["1000 points, 0 points"], await RestartAsync());
    }

    [Fact]
    public async Task A_database_from_a_backup_is_not_mixed_with_a_newer_file()
    {
        await using (var store = await StartedAsync())
        {
            await AddAsync(store, 500);
        }

        var backup = await File.ReadAllBytesAsync(SqliteSchema.PathIn(_directory.Path), None);
        await RestartAsync(async store =>
        {
            await ReplaceAsync(store, 200);
            await DeleteAsync(store, 100);
        });
        await File.WriteAllBytesAsync(SqliteSchema.PathIn(_directory.Path), backup, None);
        Assert.Empty(await RestartAsync());
    }

    [Fact]
    public async Task Changes_by_other_programs_are_noticed()
    {
        await using (var store = await StartedAsync())
        {
            await AddAsync(store, 500);
        }

        using (var session = SqliteSchema.Open(_directory.Path, readOnly: false))
        {
            session.Execute("DELETE FROM points_1 WHERE row % 7 = 0");
            session.Execute("UPDATE points_1 SET vector = (SELECT vector FROM points_1 WHERE row = 5), checksum = NULL WHERE row % 11 = 0");
        }

        Assert.Equal(["429 points, 39 points"], await RestartAsync());
    }

    [Fact]
    public async Task A_damaged_point_is_found_after_the_start_and_moved_away()
    {
        await using (var store = await StartedAsync())
        {
            await AddAsync(store, 500);
        }

        using (var session = SqliteSchema.Open(_directory.Path, readOnly: false))
        {
            session.Execute("UPDATE points_1 SET confidence = 0.5 WHERE row = 77");
        }

        var log = new EventLog();
        await using var again = await StartedAsync(_directory.Path, log, TimeProvider.System);
        Assert.Single(log.Texts(Loaded));
        await UntilAsync(async () => await again.CountAsync(Name, PointFilter.All, None) == 499);
        Assert.Single(log.Texts(4001));
        await CompareAsync(again, _directory.Path);
        using var other = SqliteSchema.Open(_directory.Path, readOnly: true);
        Assert.Equal(77L, other.Scalar("SELECT row FROM damaged"));
    }

    [Fact]
    public async Task An_index_that_differs_from_the_database_is_repaired()
    {
        await using (var store = await StartedAsync())
        {
            await AddAsync(store, 500);
        }

        using (var session = SqliteSchema.Open(_directory.Path, readOnly: false))
        {
            // As if the log of changes had been lost.
            session.Execute("UPDATE points_1 SET vector = (SELECT vector FROM points_1 WHERE row = 5), checksum = NULL WHERE row = 6");
            session.Execute("DELETE FROM index_changes");
        }

        var log = new EventLog();
        await using var again = await StartedAsync(_directory.Path, log, TimeProvider.System);
        await UntilAsync(() => Task.FromResult(log.Texts(4033).Any()));
        await CompareAsync(again, _directory.Path);
    }

    [Fact]
    public async Task Deleted_and_replaced_vectors_do_not_stay_in_the_file()
    {
        await using var store = await StartedAsync();
        await AddAsync(store, 2000);
        await store.Engine.IndexFiles.SyncAsync(all: true, None);
        var before = Rows(_directory.Path);
        Assert.Equal(2000, before.Count);
        Assert.All(before.Values.Take(50), vector => Assert.True(IsInFile(vector)));
        await DeleteAsync(store, 300);
        await ReplaceAsync(store, 300);
        var after = Rows(_directory.Path);
        var gone = before.Where(point => !after.TryGetValue(point.Key, out var vector) || !vector.AsSpan().SequenceEqual(point.Value)).ToArray();
        Assert.InRange(gone.Length, 500, 600);
        Assert.True(IsInFile(gone[0].Value));
        await UntilAsync(() =>
        {
            _time.Advance(TimeSpan.FromSeconds(10));
            return Task.FromResult(gone.All(point => !IsInFile(point.Value)));
        });
        await UntilAsync(() =>
        {
            _time.Advance(TimeSpan.FromSeconds(10));
            using var session = SqliteSchema.Open(_directory.Path, readOnly: true);
            return Task.FromResult(SqliteSchema.Fact(session, Facts.Erasing) == 0);
        });
    }

    [Fact]
    public async Task The_file_of_a_dropped_collection_is_deleted()
    {
        await using (var store = await StartedAsync())
        {
            await AddAsync(store, 500);
            await store.Engine.IndexFiles.SyncAsync(all: true, None);
            Assert.True(File.Exists(FilePath));
            await store.DropCollectionAsync(Name, null, None);
            await UntilAsync(() =>
            {
                _time.Advance(TimeSpan.FromSeconds(60));
                return Task.FromResult(!File.Exists(FilePath));
            });
        }

        // Also if the server was killed before.
        await File.WriteAllTextAsync(FilePath, "left", None);
        await using var again = await StartedAsync();
        Assert.False(File.Exists(FilePath));
    }

    [Fact]
    public async Task Compacting_deletes_the_files()
    {
        await using (var store = await StartedAsync())
        {
            await AddAsync(store, 500);
        }

        using (var repair = StoreRepair.Open(_directory.Path))
        {
            repair.Compact(dropDamaged: false);
        }

        Assert.False(File.Exists(FilePath));
        Assert.Empty(await RestartAsync());
        Assert.Equal(["500 points, 0 points"], await RestartAsync());
    }

    [Fact]
    public async Task Any_sequence_of_changes_and_crashes_leads_to_the_right_index()
    {
        for (var round = 0; round < 12; round++)
        {
            await RestartAsync(async store =>
            {
                for (var i = 0; i < 6; i++)
                {
                    await (_random.Next(5) switch
                    {
                        0 => AddAsync(store, _random.Next(400)),
                        1 => ReplaceAsync(store, _random.Next(100)),
                        2 => DeleteAsync(store, _random.Next(300)),
                        3 => store.Engine.IndexFiles.SyncAsync(all: true, None),
                        _ => AddAsync(store, 1),
                    });
                }

                using var crash = Crash();
                await using var other = await StartedAsync(crash.Path, new EventLog());
                await CompareAsync(other, crash.Path);
            });
        }
    }

    [Fact]
    public async Task Many_points_with_gaps_are_read_from_the_database_by_several_threads()
    {
        await using (var store = await StartedAsync())
        {
            await AddAsync(store, 60_000);
            await store.DeleteAsync(Name, [.. Enumerable.Range(5000, 20_000).Concat(Enumerable.Range(30_000, 25_000)).Select(static i => $"p{i}")], None);
        }

        using (var session = SqliteSchema.Open(_directory.Path, readOnly: false))
        {
            session.Execute("UPDATE points_1 SET row = row + 1000000000000 WHERE row > 58000");
            session.Execute("UPDATE points_1 SET confidence = 0.5 WHERE row IN (1, 26000)");
        }

        File.Delete(FilePath);
        Assert.Empty(await RestartAsync());
        await using var again = await StartedAsync();
        Assert.Equal(15_000 - 2, again.Engine.Catalog.Require(Name).Count);
    }

    private Task<EmbeddedVectorStore> StartedAsync() => StartedAsync(_directory.Path, new EventLog());

    private async Task<EmbeddedVectorStore> StartedAsync(string directory, EventLog log, TimeProvider? time = null)
    {
        var options = new EmbeddedStoreOptions { Directory = directory, ReserveBytes = 0, IndexFilePoints = 100 };
        var store = await EmbeddedStores.StartAsync(options, log, time ?? _time);
        await store.EnsureCollectionAsync(new CollectionSpec(Name, Dimension, null), None);
        return store;
    }

    // Starts, compares, works, stops, and returns what was logged about the file.
    private async Task<List<string>> RestartAsync(Func<EmbeddedVectorStore, Task>? work = null)
    {
        var log = new EventLog();
        await using var store = await StartedAsync(_directory.Path, log);
        await CompareAsync(store, _directory.Path);
        if (work is not null)
        {
            await work(store);
        }

        return [.. log.Texts(Loaded).Select(static text =>
            string.Join(", ", text.Split(' ').Index()
                .Where(static word => word.Item == "points")
                .Select(word => text.Split(' ')[word.Index - 1] + " points")))];
    }

    private async Task AddAsync(EmbeddedVectorStore store, int count) => await store.UpsertAsync(
        Name, [.. Enumerable.Range(0, count).Select(_ => new StoredPoint($"p{_next++}", NewVector(), PointPayload.Empty))], None);

    private async Task ReplaceAsync(EmbeddedVectorStore store, int count) => await store.UpsertAsync(
        Name, [.. Some(count).Select(id => new StoredPoint(id, NewVector(), PointPayload.Empty))], None);

    private async Task DeleteAsync(EmbeddedVectorStore store, int count) =>
        await store.DeleteAsync(Name, Some(count), None);

    private string[] Some(int count) => [.. Rows(_directory.Path).Keys.OrderBy(_ => _random.Next()).Take(count)];

    private float[] NewVector() => [.. Enumerable.Range(0, Dimension).Select(_ => _random.NextSingle() - 0.5f)];

    // The files of a process that is killed now.
    private TempFolder Crash()
    {
        var crash = new TempFolder();
        foreach (var path in Directory.GetFiles(_directory.Path).Where(static path => !path.EndsWith("-shm", StringComparison.Ordinal)))
        {
            if (Path.GetFileName(path) is "embeddings.lock")
            {
                continue;
            }

            using var source = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var target = File.Create(Path.Combine(crash.Path, Path.GetFileName(path)));
            source.CopyTo(target);
        }

        return crash;
    }

    private static Dictionary<string, float[]> Rows(string directory)
    {
        var rows = new Dictionary<string, float[]>(StringComparer.Ordinal);
        using var session = SqliteSchema.Open(directory, readOnly: true);
        using var reader = session.Read("SELECT id, vector FROM points_1 ORDER BY row");
        while (reader.Read())
        {
            rows.Add(PointCodec.Text(reader, 0), MemoryMarshal.Cast<byte, float>(reader.GetFieldValue<byte[]>(1)).ToArray());
        }

        return rows;
    }

    private async Task CompareAsync(EmbeddedVectorStore store, string directory)
    {
        var rows = Rows(directory);
        var index = store.Engine.Catalog.Require(Name);
        Assert.Equal(rows.Count, index.Count);
        // Each vector has the right codes, in one slot.
        using (var session = SqliteSchema.Open(directory, readOnly: true))
        using (var reader = session.Read("SELECT row, id FROM points_1"))
        {
            while (reader.Read())
            {
                Assert.True(index.Matches(reader.GetInt64(0), rows[PointCodec.Text(reader, 1)]));
            }
        }

        Assert.Equal(index.Count, Enumerable.Range(0, index.Count).Select(index.Row).Distinct().Count());
        Assert.All(Enumerable.Range(0, index.Count), slot => Assert.Equal(slot, index.Slot(index.Row(slot))));
        if (rows.Count == 0)
        {
            return;
        }

        var query = NewVector();
        var unit = Unit(query);
        var expected = rows
            .Select(row => (Id: row.Key, Score: Storage.Score.Of(VectorMath.PreciseCosine(Unit(row.Value), unit))))
            .OrderByDescending(static hit => hit.Score)
            .ThenBy(static hit => hit.Id, StringComparer.Ordinal)
            .Take(20);
        var found = await store.SearchAsync(Name, [new VectorQuery(query)], new SearchSpec { Limit = 20 }, None);
        Assert.Equal(expected, found[0].Select(static hit => (hit.Point.Id, hit.Score)));
    }

    private static float[] Unit(float[] vector)
    {
        var unit = new float[vector.Length];
        Assert.True(UnitVectors.TryNormalize(vector, unit));
        return unit;
    }

    private bool IsInFile(float[] vector)
    {
        var unit = new float[ByteCodes.Stride(Dimension)];
        Assert.True(UnitVectors.TryNormalize(vector, unit.AsSpan(0, Dimension)));
        var codes = new byte[unit.Length];
        ByteCodes.Encode(unit, ByteCodes.RowLevels, ByteCodes.RowBias, codes, out _);
        using var file = new FileStream(FilePath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes.AsSpan().IndexOf(codes.AsSpan(0, 32)) >= 0;
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        for (var attempt = 0; attempt < 600; attempt++)
        {
            if (await condition())
            {
                return;
            }

            await Task.Delay(50);
        }

        Assert.Fail("It did not happen within 30 seconds.");
    }
}
