using Embeddings.QdrantDouble;
using Embeddings.Testing;
using Embeddings.Testing.Stores;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>
/// The store contract with a Qdrant without collection metadata: the reserved point must be invisible.
/// </summary>
public sealed class OldQdrantContractTests : VectorStoreContract, IAsyncLifetime
{
    private readonly QdrantServer _server = new(new() { Old = true });

    public async ValueTask InitializeAsync() => await _server.StartAsync();

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private protected override async Task<IVectorStore> CreateAsync() => await QdrantStores.StartAsync(_server);

    private protected override bool SupportsHolds => false;

    private protected override bool SupportsSettings => false;

    private protected override void AssertSameVector(float[] given, float[] found) => StoredVectorsTests.AssertNear(given, found);
}
