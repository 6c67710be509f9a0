using Embeddings.Testing;
using Embeddings.Testing.Stores;

namespace Embeddings.Storage.Sqlite.Tests;

public sealed class EmbeddedVectorStoreContractTests : VectorStoreContract, IDisposable
{
    private readonly TempFolder _directory = new();

    public void Dispose() => _directory.Dispose();

    private protected override int OverlappingSearches => 3000;

    private protected override async Task<IVectorStore> CreateAsync() => await EmbeddedStores.StartAsync(_directory.Path);
}
