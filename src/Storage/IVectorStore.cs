using System.Text.Json.Nodes;
using Embeddings.Primitives;

namespace Embeddings.Storage;

/// <summary>
/// Stores vectors and searches them by cosine similarity. Thread-safe. Every method throws <see cref="Fault"/>:
/// UNAVAILABLE while the store is not ready, NOT_FOUND if the collection does not exist, and the codes documented on
/// each method.
/// </summary>
internal interface IVectorStore : IAsyncDisposable
{
    /// <summary>
    /// Opens the store. Call it once, before any other method. A remote store may become ready later.
    /// </summary>
    Task StartAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Returns null if the store answers reads; otherwise the reason, in one sentence for the operator.
    /// </summary>
    Task<string?> CheckAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Returns null if the store accepts new points; otherwise the reason, in one sentence for the operator. Reads may
    /// work nevertheless, and deletions on a full disk.
    /// </summary>
    Task<string?> CheckWritesAsync(CancellationToken cancellationToken) => CheckAsync(cancellationToken);

    /// <summary>
    /// Creates the collection if it does not exist and records the first model that fills it. FAILED_PRECONDITION,
    /// naming both sides, if the collection has another dimension, or if <see cref="CollectionSpec.Model"/> is not null
    /// and the collection has another model fingerprint. Cheap if nothing changes.
    /// </summary>
    ValueTask EnsureCollectionAsync(CollectionSpec spec, CancellationToken cancellationToken);

    /// <summary>Returns the collection, or null.</summary>
    ValueTask<CollectionInfo?> FindCollectionAsync(string collection, CancellationToken cancellationToken);

    /// <summary>Returns all collections in ordinal order of their names.</summary>
    Task<IReadOnlyList<CollectionInfo>> ListCollectionsAsync(CancellationToken cancellationToken);

    /// <summary>Removes a collection with all its points, durably, and returns the number of points.</summary>
    Task<long> DropCollectionAsync(string collection, CancellationToken cancellationToken);

    /// <summary>
    /// Writes points, replacing those whose ids exist, and completes when they are durable: all or none. If ids repeat,
    /// the last point wins. Concurrent calls are written in groups. INVALID_ARGUMENT for a vector of another dimension,
    /// RESOURCE_EXHAUSTED if the store is full.
    /// </summary>
    Task UpsertAsync(string collection, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken);

    /// <summary>
    /// Replaces the faces of a job: writes points, as <see cref="UpsertAsync"/> does, and removes the points of the job that
    /// have a face index and are not among them. Completes when both are durable, and returns the number removed. Writes
    /// of the job through this store take effect in the order of the calls. The embedded store does both in one
    /// transaction. Qdrant removes right after it has written: a failure in between leaves earlier faces, which the next
    /// call removes. A face of the job that is written through another server at the same time may be removed.
    /// </summary>
    /// <param name="collection">The collection.</param>
    /// <param name="jobId">The job; not empty.</param>
    /// <param name="points">The faces, all of this job. If there are none, all faces of the job are removed.</param>
    /// <param name="cancellationToken">Cancels the wait; the write may happen nevertheless.</param>
    Task<long> ReplaceFacesAsync(
        string collection, string jobId, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken);

    /// <summary>
    /// Changes the attributes of existing points, whose vectors and other fields stay as they are, and returns the number of
    /// points changed once that is durable. NOT_FOUND if a point does not exist; then none is changed, and neither if
    /// <paramref name="change"/> throws.
    /// </summary>
    /// <remarks>
    /// The embedded store changes all points in one transaction, in order with all other writes. Qdrant checks all points
    /// before it changes the first, and writes only the fields that differ. There, a failed call may have changed some of
    /// the points, and a write to one of the points between reading and writing keeps its own fields but also gets these.
    /// </remarks>
    /// <param name="collection">The collection.</param>
    /// <param name="ids">The ids of the points, without repetitions.</param>
    /// <param name="change">
    /// Returns the new attributes of a point, or null to leave them as they are. It gets the point without its vector, must
    /// not modify it, and may be called more than once for a point. It runs while other writes wait, so it must be fast.
    /// </param>
    /// <param name="cancellationToken">Cancels the change unless it has begun.</param>
    Task<long> UpdateAttributesAsync(
        string collection,
        IReadOnlyList<string> ids,
        Func<StoredPoint, JsonObject?> change,
        CancellationToken cancellationToken);

    /// <summary>Returns one point with its vector, or null.</summary>
    Task<StoredPoint?> GetAsync(string collection, string id, CancellationToken cancellationToken);

    /// <summary>Removes points by id, durably, and returns the number removed.</summary>
    Task<long> DeleteAsync(string collection, IReadOnlyList<string> ids, CancellationToken cancellationToken);

    /// <summary>Removes all points that match, durably, and returns the number removed.</summary>
    Task<long> DeleteAsync(string collection, PointFilter filter, CancellationToken cancellationToken);

    /// <summary>Returns the exact number of points that match.</summary>
    Task<long> CountAsync(string collection, PointFilter filter, CancellationToken cancellationToken);

    /// <summary>
    /// Returns a page of points, which ends at <paramref name="pageSize"/> or at <see cref="PointPage.MaxBytes"/>.
    /// INVALID_ARGUMENT (<see cref="Reasons.PageTokenInvalid"/>) for a token from another listing.
    /// </summary>
    Task<PointPage> ListAsync(
        string collection,
        PointFilter filter,
        int pageSize,
        string pageToken,
        bool withVectors,
        CancellationToken cancellationToken);

    /// <summary>
    /// Returns the points nearest to each query, best first, equal scores in ordinal order of their ids. Score, vector
    /// and payload of a point are those of one version. INVALID_ARGUMENT for a query of another dimension,
    /// RESOURCE_EXHAUSTED if the response exceeds <see cref="SearchSpec.Lease"/>.
    /// </summary>
    Task<IReadOnlyList<IReadOnlyList<ScoredStoredPoint>>> SearchAsync(
        string collection, IReadOnlyList<VectorQuery> queries, SearchSpec spec, CancellationToken cancellationToken);
}
