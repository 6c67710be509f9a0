using Embeddings.Testing;
using Qdrant.Client;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>
/// The Qdrant server at QDRANT_URL (its gRPC port) with QDRANT_API_KEY, for tests that can run with a real server or
/// the double. Collections get a unique prefix and are removed afterwards.
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

/// <summary>
/// Adds a hidden prefix to collection names, so that tests do not touch other collections on a server.
/// </summary>
internal sealed class PrefixedStore(IVectorStore store, string prefix, Func<Task> remove) : IVectorStore
{
    public Task StartAsync(CancellationToken cancellationToken) => store.StartAsync(cancellationToken);

    public Task<string?> CheckAsync(CancellationToken cancellationToken) => store.CheckAsync(cancellationToken);

    public ValueTask EnsureCollectionAsync(CollectionSpec spec, CancellationToken cancellationToken) =>
        store.EnsureCollectionAsync(spec with { Name = prefix + spec.Name }, cancellationToken);

    public async ValueTask<CollectionInfo?> FindCollectionAsync(string collection, CancellationToken cancellationToken) =>
        await store.FindCollectionAsync(prefix + collection, cancellationToken) is { } info ? info with { Name = collection } : null;

    public async Task<IReadOnlyList<CollectionInfo>> ListCollectionsAsync(CancellationToken cancellationToken) =>
    [
        .. (await store.ListCollectionsAsync(cancellationToken))
            .Where(info => info.Name.StartsWith(prefix, StringComparison.Ordinal))
            .Select(info => info with { Name = info.Name[prefix.Length..] }),
    ];

    public Task<long> DropCollectionAsync(string collection, CancellationToken cancellationToken) =>
        store.DropCollectionAsync(prefix + collection, cancellationToken);

    public Task UpsertAsync(string collection, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken) =>
        store.UpsertAsync(prefix + collection, points, cancellationToken);

    public Task<StoredPoint?> GetAsync(string collection, string id, CancellationToken cancellationToken) =>
        store.GetAsync(prefix + collection, id, cancellationToken);

    public Task<long> DeleteAsync(string collection, IReadOnlyList<string> ids, CancellationToken cancellationToken) =>
        store.DeleteAsync(prefix + collection, ids, cancellationToken);

    public Task<long> DeleteAsync(string collection, PointFilter filter, CancellationToken cancellationToken) =>
        store.DeleteAsync(prefix + collection, filter, cancellationToken);

    public Task<long> CountAsync(string collection, PointFilter filter, CancellationToken cancellationToken) =>
        store.CountAsync(prefix + collection, filter, cancellationToken);

    public Task<PointPage> ListAsync(
        string collection,
        PointFilter filter,
        int pageSize,
        string pageToken,
        bool withVectors,
        CancellationToken cancellationToken) =>
        store.ListAsync(prefix + collection, filter, pageSize, pageToken, withVectors, cancellationToken);

    public Task<IReadOnlyList<IReadOnlyList<ScoredStoredPoint>>> SearchAsync(
        string collection, IReadOnlyList<VectorQuery> queries, SearchSpec spec, CancellationToken cancellationToken) =>
        store.SearchAsync(prefix + collection, queries, spec with { Exact = true }, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await store.DisposeAsync();
        await remove();
    }
}
