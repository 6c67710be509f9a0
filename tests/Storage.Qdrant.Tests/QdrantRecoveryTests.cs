using System.Net;
using System.Net.Sockets;
using Embeddings.Primitives;
using Embeddings.QdrantDouble;
using Embeddings.Testing;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>A Qdrant that starts late or restarts.</summary>
public sealed class QdrantRecoveryTests : QdrantTestBase
{
    [Fact]
    public async Task A_store_starts_without_Qdrant_reports_it_and_recovers()
    {
        var port = FreePort();
        using var log = new LogEvents();
        await using var store = await QdrantStores.StartAsync(
            new Uri($"http://127.0.0.1:{port}"),
            options => options with { ReadRetrySeconds = 0 },
            log: log.Of<QdrantVectorStore>());
        Assert.Contains($"127.0.0.1:{port}", await store.CheckAsync(None), StringComparison.Ordinal);
        await FaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => store.EnsureCollectionAsync(new(Name, 2, null), None).AsTask());

        await using var late = await QdrantServer.StartNewAsync(new() { Port = port });
        await log.WaitAsync("QdrantReady");
        Assert.Null(await store.CheckAsync(None));
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        await store.UpsertAsync(Name, [Point("p")], None);
        Assert.Equal(1, await store.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task A_store_that_has_not_been_started_is_unavailable()
    {
        await using var store = new QdrantVectorStore(
            new(), new(), Microsoft.Extensions.Logging.Abstractions.NullLogger<QdrantVectorStore>.Instance, TimeProvider.System);
        Assert.NotNull(await store.CheckAsync(None));
        await FaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => store.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task Writes_survive_a_restart_and_health_reports_it()
    {
        var file = Path.GetTempFileName();
        try
        {
            await ReplaceServerAsync(new() { File = file });
            using var log = new LogEvents();
            await using var store = await FilledStoreAsync(log: log);
            await store.UpsertAsync(Name, [Point("before")], None);
            await Server.StopAsync();
            var during = store.UpsertAsync(Name, [Point("during")], None);
            await log.WaitAsync("QdrantNotReady");
            Assert.NotNull(await store.CheckAsync(None));
            Assert.False(during.IsCompleted);
            await Server.StartAsync();
            await during.WaitAsync(Limit);
            await log.WaitAsync("QdrantReady");
            Assert.Null(await store.CheckAsync(None));
            Assert.NotNull(await store.GetAsync(Name, "before", None));
            Assert.Equal(2, await store.CountAsync(Name, PointFilter.All, None));
        }
        finally
        {
            await Server.StopAsync();
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_wrong_API_key_is_reported()
    {
        await ReplaceServerAsync(new() { ApiKey = "right" });
        await using (var none = await StoreAsync())
        {
            Assert.Contains("Must provide an API key", await none.CheckAsync(None), StringComparison.Ordinal);
        }
        await using (var wrong = await StoreAsync(options => options with { ApiKey = "wrong" }))
        {
            Assert.Contains("Invalid API key", await wrong.CheckAsync(None), StringComparison.Ordinal);
            var fault = await FaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => wrong.ListCollectionsAsync(None));
            Assert.Contains("rejected the API key", fault.Message, StringComparison.Ordinal);
        }
        await using var store = await FilledStoreAsync(options => options with { ApiKey = "right" });
        Assert.Null(await store.CheckAsync(None));
        await store.UpsertAsync(Name, [Point("p")], None);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
