using Embeddings.Storage.Sqlite;
using Embeddings.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Embeddings.Testing.Stores;

internal static class EmbeddedStores
{
    public static Task<EmbeddedVectorStore> StartAsync(string directory, int maxPoints = 100_000) =>
        StartAsync(new EmbeddedStoreOptions { Directory = directory, MaxPoints = maxPoints, SearchThreads = 3, ReserveBytes = 1 << 20 });

    public static async Task<EmbeddedVectorStore> StartAsync(
        EmbeddedStoreOptions options, ILogger<EmbeddedVectorStore>? log = null, TimeProvider? time = null)
    {
        var store = new EmbeddedVectorStore(
            options, log ?? NullLogger<EmbeddedVectorStore>.Instance, time ?? TimeProvider.System);
        await store.StartAsync(CancellationToken.None);
        return store;
    }
}
