using System.Collections.Concurrent;
using Embeddings.QdrantDouble;
using Embeddings.Testing;
using Qdrant.Client;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>Memory placement: Qdrant before 1.19 ignores it, and the store warns about that.</summary>
[Collection(RealQdrant.Collection)]
public sealed class PlacementTests(RealQdrant real)
{
    private const int PlacementIgnored = 4107;

    [ToolFact("QDRANT_BINARY")]
    public async Task A_real_Qdrant_that_ignores_placement_is_warned_about_once_and_only_if_it_matters()
    {
        using var client = new QdrantClient(real.Address);
        var ignores = Version.Parse((await client.HealthAsync()).Version) < new Version(1, 19);
        var warnings = await WarningsAsync(real.Address, "placed", new() { OnDiskVectors = true });
        Assert.Equal(ignores ? 1 : 0, warnings.Count);
        Assert.All(warnings, warning => Assert.Contains("'placed'", warning, StringComparison.Ordinal));
        Assert.Empty(await WarningsAsync(real.Address, "default", new()));
    }

    [Fact]
    public async Task A_Qdrant_that_places_vectors_is_not_warned_about()
    {
        await using var qdrant = await QdrantServer.StartNewAsync();
        Assert.Empty(await WarningsAsync(qdrant.Address, "placed", new() { OnDiskVectors = true }));
    }

    private static async Task<IReadOnlyCollection<string>> WarningsAsync(Uri address, string collection, QdrantCollectionOptions options)
    {
        var warnings = new ConcurrentQueue<string>();
        var log = new EventLog((id, text) =>
        {
            if (id == PlacementIgnored)
            {
                warnings.Enqueue(text);
            }
        });
        await using var store = await QdrantStores.StartAsync(address, collections: options, log: log);
        await store.EnsureCollectionAsync(new(collection, 2, null), default);
        return warnings;
    }
}
