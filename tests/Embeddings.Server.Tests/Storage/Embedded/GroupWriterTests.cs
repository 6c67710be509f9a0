using Embeddings.Server.Diagnostics;
using Embeddings.Server.Storage;
using Embeddings.Server.Storage.Embedded;
using Microsoft.Extensions.Logging.Abstractions;

namespace Embeddings.Server.Tests.Storage.Embedded;

public sealed class GroupWriterTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_full_disk_is_unavailable_until_there_is_room()
    {
        using var session = SqliteSchema.Open(_directory.Path, readOnly: false);
        SqliteSchema.Prepare(session, _directory.Path);
        using var catalog = new Catalog();
        var transaction = new GroupTransaction(session, catalog, new Checkpointer(() => throw new InvalidOperationException("nothing to copy"), NullLogger.Instance), 1000, NullLogger.Instance);
        await using var writer = new GroupWriter(transaction, new EmbeddedStoreOptions(), NullLogger.Instance);
        await writer.WriteAsync(new EnsureCollectionRequest(catalog, new CollectionSpec("c", 4096, null), default), default);
        var index = catalog.Require("c");
        await UpsertAsync("a");

        // SQLite's own limit of pages fails the same way as a full disk.
        var pages = (long)session.Scalar("PRAGMA page_count")!;
        session.Scalar($"PRAGMA max_page_count = {pages}");
        var fault = await Assert.ThrowsAsync<Fault>(() => UpsertAsync("b"));
        Assert.Equal((FaultKind.Unavailable, Reasons.StoreUnavailable), (fault.Kind, fault.Reason));
        Assert.NotNull(writer.LastError);
        Assert.Equal(1, index.Count);

        session.Scalar($"PRAGMA max_page_count = {pages + 1000}");
        await writer.WriteAsync(new ProbeRequest(default), default);
        Assert.Null(writer.LastError);
        await UpsertAsync("b");
        Assert.Equal(2, index.Count);

        Task UpsertAsync(string id)
        {
            var point = PointCodec.Encode(new StoredPoint(id, Enumerable.Repeat(1f, 4096).ToArray(), PointPayload.Empty));
            return writer.WriteAsync(new UpsertRequest(index, [point], default), default);
        }
    }
}
