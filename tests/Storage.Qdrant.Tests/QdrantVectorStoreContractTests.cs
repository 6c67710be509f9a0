using Embeddings.QdrantDouble;
using Embeddings.Testing;
using Embeddings.Testing.Stores;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>The store contract with the double, or with a real server if QDRANT_URL is set.</summary>
public sealed class QdrantVectorStoreContractTests : VectorStoreContract, IAsyncLifetime
{
    private readonly QdrantServer _server = new();

    public Task InitializeAsync() => _server.StartAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    private protected override async Task<IVectorStore> CreateAsync() =>
        RealQdrant.Address is null ? await QdrantStores.StartAsync(_server) : await RealQdrant.StartAsync();

    private protected override void AssertSameVector(float[] given, float[] found) => StoredVectorsTests.AssertNear(given, found);
}
