using Embeddings.QdrantDouble;
using Embeddings.Testing;
using Embeddings.Testing.Stores;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>The suite of all stores, over a double in strict mode with limits below what the tests request.</summary>
public sealed class StrictQdrantContractTests : VectorStoreContract, IAsyncLifetime
{
    private readonly QdrantServer _server = new(new()
    {
        StrictMode = new()
        {
            Enabled = true,
            UnindexedFilteringRetrieve = false,
            UnindexedFilteringUpdate = false,
            MaxQueryLimit = 5,
            SearchMaxBatchsize = 4,
            UpsertMaxBatchsize = 50,
            MaxPayloadIndexCount = 10,
            SearchAllowExact = true,
        },
    });

    public async ValueTask InitializeAsync() => await _server.StartAsync();

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private protected override async Task<IVectorStore> CreateAsync() => await QdrantStores.StartAsync(_server);

    private protected override int ManyPoints => 300;

    private protected override void AssertSameVector(float[] given, float[] found) => StoredVectorsTests.AssertNear(given, found);
}

/// <summary>The suite of all stores, over a real Qdrant in strict mode.</summary>
public sealed class RealStrictQdrantContractTests(StrictQdrant qdrant) : VectorStoreContract, IClassFixture<StrictQdrant>
{
    private protected override async Task<IVectorStore> CreateAsync()
    {
        var missing = Tool.Missing("QDRANT_BINARY");
        Assert.SkipWhen(missing is not null, missing ?? "");
        return await qdrant.StartStoreAsync();
    }

    private protected override int ManyPoints => 300;

    private protected override void AssertSameVector(float[] given, float[] found) => StoredVectorsTests.AssertNear(given, found);

    // Qdrant reads decimals of more than 15 digits to the last place.
    private protected override void AssertSameNumber(double given, double found) =>
        Assert.InRange(found, Math.BitDecrement(given), Math.BitIncrement(given));
}
