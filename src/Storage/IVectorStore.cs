using Embeddings.Primitives;

namespace Embeddings.Storage;

/// <summary>
/// Keeps vectors and finds them again by cosine similarity. Thread-safe. Every method throws <see cref="Fault"/>: UNAVAILABLE while the store
/// is not ready, NOT_FOUND for a collection that is not there, otherwise as said.
/// </summary>
internal interface IVectorStore : IAsyncDisposable
{
    /// <summary>Makes it ready; called once, before anything else. A store behind a network may become ready later by itself.</summary>
    Task StartAsync(CancellationToken cancellationToken);

    /// <summary>Null while it is ready, else why not, in one sentence for the operator.</summary>
    Task<string?> CheckAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Makes the collection if it is missing, and lets a model be its first; FAILED_PRECONDITION, naming both sides, where it has another dimension, or
    /// another model's fingerprint and <see cref="CollectionSpec.Model"/> is not null. Cheap when nothing is to be done.
    /// </summary>
    ValueTask EnsureCollectionAsync(CollectionSpec spec, CancellationToken cancellationToken);

    /// <summary>A collection, or null.</summary>
    ValueTask<CollectionInfo?> FindCollectionAsync(string collection, CancellationToken cancellationToken);

    /// <summary>All collections, by ordinal name.</summary>
    Task<IReadOnlyList<CollectionInfo>> ListCollectionsAsync(CancellationToken cancellationToken);

    /// <summary>Removes a collection with all its points, durably, and says how many there were.</summary>
    Task<long> DropCollectionAsync(string collection, CancellationToken cancellationToken);

    /// <summary>
    /// Writes points, replacing those whose ids exist, and completes once they are durable: all or none. Of equal ids the last wins. The store groups what
    /// many callers write. INVALID_ARGUMENT for a vector of another dimension, RESOURCE_EXHAUSTED where the store is full.
    /// </summary>
    Task UpsertAsync(string collection, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken);

    /// <summary>One point with its vector, or null.</summary>
    Task<StoredPoint?> GetAsync(string collection, string id, CancellationToken cancellationToken);

    /// <summary>Removes points, durably, and says how many there were.</summary>
    Task<long> DeleteAsync(string collection, IReadOnlyList<string> ids, CancellationToken cancellationToken);

    /// <summary>Removes all points that match, durably, and says how many there were.</summary>
    Task<long> DeleteAsync(string collection, PointFilter filter, CancellationToken cancellationToken);

    /// <summary>Counts, exactly, the points that match.</summary>
    Task<long> CountAsync(string collection, PointFilter filter, CancellationToken cancellationToken);

    /// <summary>A page of points. INVALID_ARGUMENT (<see cref="Reasons.PageTokenInvalid"/>) for a token it did not make.</summary>
    Task<PointPage> ListAsync(string collection, PointFilter filter, int pageSize, string pageToken, bool withVectors, CancellationToken cancellationToken);

    /// <summary>The points nearest to each query, best first, equal scores by ordinal id. INVALID_ARGUMENT for a query of another dimension.</summary>
    Task<IReadOnlyList<IReadOnlyList<ScoredStoredPoint>>> SearchAsync(string collection, IReadOnlyList<VectorQuery> queries, SearchSpec spec, CancellationToken cancellationToken);
}
