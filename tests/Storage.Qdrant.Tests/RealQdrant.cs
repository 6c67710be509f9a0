using Embeddings.Testing;
using Qdrant.Client;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>
/// The real Qdrant of the tests that share one: started from <c>QDRANT_BINARY</c>, or the server at <c>QDRANT_URL</c> (its
/// gRPC port) with <c>QDRANT_API_KEY</c>. Collections there get a prefix of their own and are removed afterwards.
/// </summary>
public class RealQdrant : IAsyncLifetime
{
    public const string Collection = "real Qdrant";

    private QdrantNode? _node;

    public Uri Address => _node?.Address ?? new(Tool.Path("QDRANT_URL"));

    private protected virtual IReadOnlyDictionary<string, string>? Settings => null;

    private static string? ApiKey => Tool.Find("QDRANT_API_KEY");

    public async ValueTask InitializeAsync() =>
        _node = Tool.Find("QDRANT_BINARY") is null ? null : await QdrantNode.StartAsync(Settings);

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_node is not null)
        {
            await _node.DisposeAsync();
        }
    }

    /// <summary>A started store that sees only collections of its own; disposing it removes them.</summary>
    internal async Task<PrefixedStore> StartStoreAsync()
    {
        var prefix = $"test-{Guid.NewGuid():N}-";
        var store = await QdrantStores.StartAsync(Address, options => options with { ApiKey = ApiKey });
        return new(store, prefix, () => RemoveAsync(prefix));
    }

    private async Task RemoveAsync(string prefix)
    {
        using var client = new QdrantClient(Address, ApiKey);
        var names = await client.ListCollectionsAsync();
        foreach (var name in names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)))
        {
            await client.DeleteCollectionAsync(name);
        }
    }
}

/// <summary>
/// A real Qdrant whose collections are in strict mode, as in Qdrant Cloud, with limits small enough that the tests exceed
/// them.
/// </summary>
public sealed class StrictQdrant : RealQdrant
{
    private const string Prefix = "QDRANT__STORAGE__COLLECTION__STRICT_MODE__";

    private protected override IReadOnlyDictionary<string, string> Settings => new Dictionary<string, string>
    {
        [Prefix + "ENABLED"] = "true",
        [Prefix + "UNINDEXED_FILTERING_RETRIEVE"] = "false",
        [Prefix + "UNINDEXED_FILTERING_UPDATE"] = "false",
        [Prefix + "MAX_QUERY_LIMIT"] = "100",
        [Prefix + "SEARCH_MAX_BATCHSIZE"] = "4",
        [Prefix + "UPSERT_MAX_BATCHSIZE"] = "50",
        [Prefix + "MAX_PAYLOAD_INDEX_COUNT"] = "100",
    };
}

/// <summary>The tests that share one real Qdrant.</summary>
[CollectionDefinition(RealQdrant.Collection)]
public sealed class RealQdrantCollection : ICollectionFixture<RealQdrant>;
