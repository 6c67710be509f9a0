using Embeddings.QdrantDouble;
using Embeddings.Testing;
using Embeddings.Testing.Stores;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>The suite of all stores, over a double.</summary>
public sealed class QdrantVectorStoreContractTests : VectorStoreContract, IAsyncLifetime
{
    private readonly QdrantServer _server = new();

    public async ValueTask InitializeAsync() => await _server.StartAsync();

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private protected override async Task<IVectorStore> CreateAsync() => await QdrantStores.StartAsync(_server);

    private protected override void AssertSameVector(float[] given, float[] found) => StoredVectorsTests.AssertNear(given, found);
}
