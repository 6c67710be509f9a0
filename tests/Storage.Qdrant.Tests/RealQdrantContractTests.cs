using Embeddings.Testing;
using Embeddings.Testing.Stores;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>The suite of all stores, over a real Qdrant.</summary>
[Collection(RealQdrant.Collection)]
public sealed class RealQdrantContractTests(RealQdrant qdrant) : VectorStoreContract
{
    private protected override async Task<IVectorStore> CreateAsync()
    {
        var missing = Tool.Missing("QDRANT_BINARY", "QDRANT_URL");
        Assert.SkipWhen(missing is not null, missing ?? "");
        return await qdrant.StartStoreAsync();
    }

    private protected override void AssertSameVector(float[] given, float[] found) => StoredVectorsTests.AssertNear(given, found);

    // Qdrant reads decimals of more than 15 digits to the last place.
    private protected override void AssertSameNumber(double given, double found) =>
        Assert.InRange(found, Math.BitDecrement(given), Math.BitIncrement(given));
}
