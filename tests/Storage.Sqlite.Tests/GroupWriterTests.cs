using Embeddings.Primitives;
using Embeddings.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Embeddings.Storage.Sqlite.Tests;

public sealed class GroupWriterTests : IDisposable
{
    private const int Dimension = 4096;
    private const int MaxPoints = 1000;

    private readonly TempFolder _directory = new();
    private readonly Catalog _catalog = new();
    private readonly SqliteSession _session;

    public GroupWriterTests()
    {
        _session = SqliteSchema.Open(_directory.Path, readOnly: false);
        SqliteSchema.Prepare(_session, _directory.Path, TimeProvider.System.GetUtcNow());
    }

    public void Dispose()
    {
        _session.Dispose();
        _catalog.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_full_disk_is_unavailable_until_space_is_free()
    {
        await using var writer = Writer(static () => { });
        var index = await CollectionAsync(writer);
        await UpsertAsync(writer, index, "a");

        // SQLite's page limit fails in the same way as a full disk.
        var pages = (long)_session.Scalar("PRAGMA page_count")!;
        _session.Scalar($"PRAGMA max_page_count = {pages}");
        var fault = await Assert.ThrowsAsync<Fault>(() => UpsertAsync(writer, index, "b"));
        Assert.Equal((FaultKind.Unavailable, Reasons.StoreUnavailable), (fault.Kind, fault.Reason));
        Assert.NotNull(writer.LastError);
        Assert.Equal(1, index.Count);

        // A deletion makes room for another point.
        Assert.Equal(1, await writer.WriteAsync(new DeleteIdsRequest(_catalog, index, ["a"u8.ToArray()], null, default), default));
        await UpsertAsync(writer, index, "c");
        await Assert.ThrowsAsync<Fault>(() => UpsertAsync(writer, index, "b"));
        Assert.Equal(1, index.Count);

        _session.Scalar($"PRAGMA max_page_count = {pages + 1000}");
        await writer.WriteAsync(new ProbeRequest(default), default);
        Assert.Null(writer.LastError);
        await UpsertAsync(writer, index, "b");
        Assert.Equal(2, index.Count);
    }

    [Fact]
    public async Task An_acknowledgement_waits_for_the_flush_while_the_next_group_is_written()
    {
        using var disk = new SemaphoreSlim(1);
        using var flushing = new SemaphoreSlim(0);
        await using var writer = Writer(() =>
        {
            flushing.Release();
            disk.Wait();
        });
        var index = await CollectionAsync(writer);
        await flushing.WaitAsync();

        var first = UpsertAsync(writer, index, "a");
        await flushing.WaitAsync();
        var second = UpsertAsync(writer, index, "b");
        using var reader = SqliteSchema.Open(_directory.Path, readOnly: true);
        while ((long)reader.Scalar("SELECT count(*) FROM points_1")! < 2)
        {
            await Task.Delay(5);
        }

        Assert.False(first.IsCompleted);
        Assert.False(second.IsCompleted);
        Assert.Equal(0, index.Count);
        disk.Release(2);
        await Task.WhenAll(first, second);
        Assert.Equal(2, index.Count);
    }

    [Fact]
    public async Task A_failed_flush_acknowledges_nothing_and_rejects_further_writes()
    {
        var isBroken = false;
        await using var writer = Writer(() =>
        {
            if (isBroken)
            {
                throw new IOException("no such device");
            }
        });
        var index = await CollectionAsync(writer);
        isBroken = true;
        foreach (var id in new[] { "a", "b" })
        {
            var fault = await Assert.ThrowsAsync<Fault>(() => UpsertAsync(writer, index, id));
            Assert.Equal((FaultKind.Unavailable, Reasons.StoreUnavailable), (fault.Kind, fault.Reason));
            Assert.Contains("no such device", fault.Message, StringComparison.Ordinal);
        }

        // A later successful flush does not restore what was lost.
        isBroken = false;
        await Assert.ThrowsAsync<Fault>(() => writer.WriteAsync(new ProbeRequest(default), default));
        Assert.NotNull(writer.LastError);
        Assert.Equal(0, index.Count);
        Assert.Equal(1L, _session.Scalar("SELECT count(*) FROM points_1"));
    }

    [Fact]
    public async Task The_point_limit_includes_points_that_are_being_flushed()
    {
        await using var writer = Writer(static () => Thread.Sleep(1));
        var index = await CollectionAsync(writer);
        var writes = Enumerable.Range(0, MaxPoints + 300).Select(async i =>
        {
            await Task.Delay(i / 20);
            return await Record.ExceptionAsync(() => UpsertAsync(writer, index, $"p{i}"));
        });
        var errors = await Task.WhenAll(writes);
        Assert.Equal(300, errors.Count(static error => error is Fault { Reason: Reasons.StoreFull }));
        Assert.Equal(MaxPoints, errors.Count(static error => error is null));
        Assert.Equal(MaxPoints, index.Count);
    }

    private Task UpsertAsync(GroupWriter writer, CollectionIndex index, string id)
    {
        var point = PointCodec.Encode(new StoredPoint(id, Enumerable.Repeat(1f, Dimension).ToArray(), PointPayload.Empty));
        return writer.WriteAsync(new UpsertRequest(_catalog, index, [point], default), default);
    }

    private async Task<CollectionIndex> CollectionAsync(GroupWriter writer)
    {
        await writer.WriteAsync(new EnsureCollectionRequest(_catalog, new CollectionSpec("c", Dimension, null), 10, default), default);
        return _catalog.Require("c");
    }

    private GroupWriter Writer(Action flush)
    {
        var flusher = new GroupFlusher(flush, NullLogger.Instance);
        var checkpointer = new Checkpointer(
            () => throw new InvalidOperationException("There is nothing to copy."), static () => { }, NullLogger.Instance);
        var reserve = new DiskReserve(_directory.Path, 0, NullLogger.Instance);
        var transaction = new GroupTransaction(_session, _catalog, flusher, checkpointer, new ErasePending(false), reserve, MaxPoints, NullLogger.Instance);
        return new GroupWriter(transaction, flusher, new EmbeddedStoreOptions(), NullLogger.Instance);
    }
}
