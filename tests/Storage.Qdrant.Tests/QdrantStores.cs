using Embeddings.QdrantDouble;
using Embeddings.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Embeddings.Storage.Qdrant.Tests;

internal static class QdrantStores
{
    /// <summary>Starts a store on a double with short intervals.</summary>
    public static Task<QdrantVectorStore> StartAsync(QdrantServer server, Func<QdrantStoreOptions, QdrantStoreOptions>? with = null) =>
        StartAsync(server.Address, with);

    public static async Task<QdrantVectorStore> StartAsync(
        Uri address,
        Func<QdrantStoreOptions, QdrantStoreOptions>? with = null,
        QdrantCollectionOptions? collections = null,
        TimeProvider? time = null,
        ILogger<QdrantVectorStore>? log = null)
    {
        var options = new QdrantStoreOptions { Url = address.ToString(), ProbeSeconds = 0.2, RetryDelayMs = 5 };
        var store = new QdrantVectorStore(
            with?.Invoke(options) ?? options, collections ?? new(), log ?? NullLogger<QdrantVectorStore>.Instance, time ?? TimeProvider.System);
        await store.StartAsync(CancellationToken.None);
        return store;
    }
}
