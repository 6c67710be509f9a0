using Embeddings.Testing;
using Qdrant.Client;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>
/// The Qdrant server that QDRANT_URL names (its gRPC port), with QDRANT_API_KEY, for the tests that can do with either: collections there get a prefix of
/// their own and are removed afterwards.
/// </summary>
internal static class RealQdrant
{
    public static Uri? Address { get; } = Environment.GetEnvironmentVariable("QDRANT_URL") is { Length: > 0 } url ? new(url) : null;

    private static string? ApiKey => Environment.GetEnvironmentVariable("QDRANT_API_KEY");

    public static async Task<PrefixedStore> StartAsync()
    {
        var prefix = $"test-{Guid.NewGuid():N}-";
        var store = await QdrantStores.StartAsync(Address!, options => options with { ApiKey = ApiKey });
        return new(store, prefix, () => RemoveAsync(prefix));
    }

    private static async Task RemoveAsync(string prefix)
    {
        using var client = new QdrantClient(Address!, ApiKey);
        foreach (var name in (await client.ListCollectionsAsync()).Where(name => name.StartsWith(prefix, StringComparison.Ordinal)))
        {
            await client.DeleteCollectionAsync(name);
        }
    }
}
