using Embeddings.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Embeddings.Storage.Sqlite.Tests;

internal static class EmbeddedStores
{
    public static async Task<EmbeddedVectorStore> StartAsync(string directory, int maxPoints = 100_000)
    {
        var options = new EmbeddedStoreOptions { Directory = directory, MaxPoints = maxPoints, SearchThreads = 3 };
        var store = new EmbeddedVectorStore(options, NullLogger<EmbeddedVectorStore>.Instance, TimeProvider.System);
        await store.StartAsync(CancellationToken.None);
        return store;
    }
}

internal sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("embeddings-store-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
