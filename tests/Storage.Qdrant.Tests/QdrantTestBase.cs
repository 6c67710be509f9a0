using Embeddings.Primitives;
using Embeddings.QdrantDouble;
using Embeddings.QdrantDouble.Troubles;
using Embeddings.Testing;
using Embeddings.Testing.Stores;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>A double of Qdrant and common steps of its tests.</summary>
public abstract class QdrantTestBase : IAsyncLifetime
{
    protected const string Name = "c";
    protected const string Upsert = "Points/Upsert";
    protected static readonly CancellationToken None = CancellationToken.None;
    protected static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    protected QdrantServer Server { get; private set; } = new();

    protected TroublePlan Troubles => Server.Troubles;

    public virtual async ValueTask InitializeAsync() => await Server.StartAsync();

    public async ValueTask DisposeAsync() => await Server.DisposeAsync();

    /// <summary>Replaces the double with another one.</summary>
    protected async Task ReplaceServerAsync(DoubleOptions options)
    {
        await Server.DisposeAsync();
        Server = await QdrantServer.StartNewAsync(options);
    }

    private protected Task<QdrantVectorStore> StoreAsync(Func<QdrantStoreOptions, QdrantStoreOptions>? with = null) =>
        QdrantStores.StartAsync(Server, with);

    /// <summary>Starts a store with a collection of dimension 2.</summary>
    private protected async Task<QdrantVectorStore> FilledStoreAsync(
        Func<QdrantStoreOptions, QdrantStoreOptions>? with = null, LogEvents? log = null)
    {
        var store = await QdrantStores.StartAsync(Server.Address, with, log: log?.Of<QdrantVectorStore>());
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        return store;
    }

    private protected static StoredPoint Point(string id, float x = 1, float y = 0) => VectorStoreContract.Point(id, [x, y]);

    private protected static async Task<Fault> FaultAsync(FaultKind kind, string reason, Func<Task> work)
    {
        var fault = await Assert.ThrowsAsync<Fault>(() => work().WaitAsync(Limit));
        Assert.True((kind, reason) == (fault.Kind, fault.Reason), $"{fault.Kind} {fault.Reason}: {fault.Message}");
        return fault;
    }

    internal static async Task UntilAsync(Func<Task<bool>> holds)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (!await holds())
        {
            await Task.Delay(10, limit.Token);
        }
    }
}
