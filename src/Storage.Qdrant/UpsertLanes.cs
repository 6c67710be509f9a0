using System.Collections.Concurrent;

namespace Embeddings.Storage.Qdrant;

/// <summary>A lane for each collection that is written to. Only collections that exist get one, so their number is bounded.</summary>
internal sealed class UpsertLanes(QdrantCalls calls, CollectionCatalog catalog, QdrantStoreOptions options, TimeProvider time, ILogger log) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Lazy<UpsertLane>> _lanes = new(StringComparer.Ordinal);

    public UpsertLane Of(string collection) => _lanes.GetOrAdd(
        collection, name => new(() => new(name, calls, options, time, log, () => catalog.Forget(name)))).Value;

    public async ValueTask DisposeAsync()
    {
        foreach (var lane in _lanes.Values)
        {
            await lane.Value.DisposeAsync();
        }
    }
}
