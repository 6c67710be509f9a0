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

    /// <summary>
    /// Creates a collection with its settings, durably. ALREADY_EXISTS if a collection or an alias has the name.
    /// </summary>
    /// <param name="spec">The collection.</param>
    /// <param name="settings">Its settings.</param>
    /// <param name="indexed">Attributes to index.</param>
    /// <param name="cancellationToken">Cancels the call unless it has begun.</param>
    Task CreateCollectionAsync(
        CollectionSpec spec,
        CollectionSettings settings,
        IReadOnlyList<IndexedAttribute> indexed,
        CancellationToken cancellationToken);

    /// <summary>Returns the collection, or null. A remote store may return a state and a count of some seconds ago.</summary>
    ValueTask<CollectionInfo?> FindCollectionAsync(string collection, CancellationToken cancellationToken);

    /// <summary>Returns the collection as it is now, with the exact number of points, or null.</summary>
    Task<CollectionInfo?> ReadCollectionAsync(string collection, CancellationToken cancellationToken);

    /// <summary>Changes settings of a collection, durably.</summary>
    Task UpdateSettingsAsync(string collection, SettingsChange change, CancellationToken cancellationToken);

    /// <summary>
    /// Creates and removes indexes of attributes, durably; <see cref="CollectionInfo.IndexedAttributes"/> lists them. Filters give
    /// the same results with and without an index. INVALID_ARGUMENT if there would be more than
    /// <see cref="IndexedAttribute.MaxPerCollection"/>; FAILED_PRECONDITION in Qdrant, which keeps one index per attribute, if an attribute
    /// would have indexes of two types. Completes when the indexes are complete.
    /// </summary>
    /// <remarks>The embedded store continues to search while it builds an index, but other writes wait.</remarks>
    /// <param name="collection">The collection.</param>
    /// <param name="add">The indexes to create; those that exist are ignored.</param>
    /// <param name="remove">The indexes to remove first; those that do not exist are ignored.</param>
    /// <param name="cancellationToken">Cancels the call unless it has begun.</param>
    Task SetIndexedAttributesAsync(
        string collection,
        IReadOnlyList<IndexedAttribute> add,
        IReadOnlyList<IndexedAttribute> remove,
        CancellationToken cancellationToken);

    /// <summary>
    /// Returns the collections of all aliases, by the aliases, as of one moment: at most half a second ago, for as long as a remote
    /// store answers. All other methods take names of collections only.
    /// </summary>
    ValueTask<IReadOnlyDictionary<string, string>> AliasesAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Creates, moves, and deletes aliases, durably and at once: readers see all changes or none. NOT_FOUND if a collection to point
    /// to or an alias to delete does not exist, ALREADY_EXISTS if a collection has the name of an alias to set. A collection that is
    /// dropped takes its aliases with it.
    /// </summary>
    /// <param name="set">The aliases to create or to move, each once.</param>
    /// <param name="delete">The aliases to delete, each once and not among those to set.</param>
    /// <param name="cancellationToken">Cancels the call unless it has begun.</param>
    Task UpdateAliasesAsync(
        IReadOnlyList<CollectionAlias> set, IReadOnlyList<string> delete, CancellationToken cancellationToken);

    /// <summary>Returns all collections in ordinal order of their names.</summary>
    Task<IReadOnlyList<CollectionInfo>> ListCollectionsAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Removes a collection with all its points, durably. If some are on legal hold, the collection stays and keeps them.
    /// </summary>
    /// <param name="collection">The collection.</param>
    /// <param name="ids">
    /// Gets the ids of the points, or null. In Qdrant they are read before the collection is dropped, without points that
    /// are written in between.
    /// </param>
    /// <param name="cancellationToken">Cancels the call unless it has begun.</param>
    Task<DeleteCounts> DropCollectionAsync(string collection, IDeletedIds? ids, CancellationToken cancellationToken);

    /// <summary>
    /// Writes points, replacing those whose ids exist, and completes when they are durable: all or none. If ids repeat,
    /// the last point wins. Concurrent calls are written in groups. INVALID_ARGUMENT for a vector of another dimension,
    /// RESOURCE_EXHAUSTED if the store is full, FAILED_PRECONDITION (<see cref="Reasons.PointOnHold"/>) if a point to
    /// replace is on legal hold.
    /// </summary>
    Task UpsertAsync(string collection, IReadOnlyList<StoredPoint> points, CancellationToken cancellationToken);

    /// <summary>
    /// Replaces the faces of a job: writes points, as <see cref="UpsertAsync"/> does, and removes the points of the job that
    /// have a face index and are not among them. Completes when both are durable, and returns the number removed. Writes
    /// of the job through this store take effect in the order of the calls. The embedded store does both in one
    /// transaction. Qdrant removes right after it has written: a failure in between leaves earlier faces, which the next
    /// call removes. A face of the job that is written through another server at the same time may be removed.
    /// FAILED_PRECONDITION (<see cref="Reasons.PointOnHold"/>) if a face to replace or remove is on legal hold.
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

    /// <summary>
    /// Changes the attributes of all points that match, in groups, and returns the number of points that matched. A failed call may
    /// have changed some of them. Each point is changed once; points that are stored during the call may be left as they are.
    /// </summary>
    /// <inheritdoc cref="UpdateAttributesAsync(string, IReadOnlyList{string}, Func{StoredPoint, JsonObject?}, CancellationToken)"/>
    Task<long> UpdateAttributesAsync(
        string collection,
        PointFilter filter,
        Func<StoredPoint, JsonObject?> change,
        CancellationToken cancellationToken);

    /// <summary>Returns one point with its vector, or null.</summary>
    Task<StoredPoint?> GetAsync(string collection, string id, CancellationToken cancellationToken);

    /// <summary>
    /// Returns the points that exist, in the order of the ids; the embedded store returns all of them as of one moment.
    /// RESOURCE_EXHAUSTED if they exceed the lease.
    /// </summary>
    /// <param name="collection">The collection.</param>
    /// <param name="ids">The ids, without repetitions.</param>
    /// <param name="withPayload">True to include the payload; otherwise it is empty.</param>
    /// <param name="withVectors">True to include the vectors; otherwise they are empty.</param>
    /// <param name="lease">Limits the response while it is made; null for no limit.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    Task<IReadOnlyList<StoredPoint>> GetAsync(
        string collection,
        IReadOnlyList<string> ids,
        bool withPayload,
        bool withVectors,
        ResponseLease? lease,
        CancellationToken cancellationToken);

    /// <summary>Removes points by id, durably, except for those on legal hold.</summary>
    /// <param name="collection">The collection.</param>
    /// <param name="ids">The ids; unknown ones are ignored.</param>
    /// <param name="deleted">Gets the ids of the points that were removed, or null.</param>
    /// <param name="cancellationToken">Cancels the call unless it has begun.</param>
    Task<DeleteCounts> DeleteAsync(
        string collection, IReadOnlyList<string> ids, IDeletedIds? deleted, CancellationToken cancellationToken);

    /// <summary>Removes all points that match, durably, except for those on legal hold.</summary>
    /// <inheritdoc cref="DeleteAsync(string, IReadOnlyList{string}, IDeletedIds?, CancellationToken)"/>
    Task<DeleteCounts> DeleteAsync(
        string collection, PointFilter filter, IDeletedIds? deleted, CancellationToken cancellationToken);

    /// <summary>
    /// Removes points that have expired, durably, except for those on legal hold. Both times are compared with times in
    /// whole milliseconds.
    /// </summary>
    /// <param name="collection">The collection.</param>
    /// <param name="now">Removes points whose <see cref="PointPayload.ExpiresAt"/> is not later.</param>
    /// <param name="storedBefore">
    /// Also removes points whose <see cref="PointPayload.StoredAt"/> is not later; null for none. Points of earlier versions
    /// count as stored when the store was upgraded; in Qdrant, when this was first called with a time.
    /// </param>
    /// <param name="limit">The maximum number of points to remove, so that other writes do not wait for long.</param>
    /// <param name="cancellationToken">Cancels the call unless it has begun.</param>
    /// <returns>The number removed; if it is less than the limit, no more have expired.</returns>
    Task<long> DeleteExpiredAsync(
        string collection,
        DateTimeOffset now,
        DateTimeOffset? storedBefore,
        int limit,
        CancellationToken cancellationToken);

    /// <summary>Puts points on legal hold or ends the hold, durably. Unknown ids are ignored.</summary>
    /// <returns>The number of points that changed.</returns>
    Task<long> SetHoldAsync(string collection, IReadOnlyList<string> ids, bool hold, CancellationToken cancellationToken);

    /// <summary>Puts all points that match on legal hold or ends the hold, durably.</summary>
    /// <inheritdoc cref="SetHoldAsync(string, IReadOnlyList{string}, bool, CancellationToken)"/>
    Task<long> SetHoldAsync(string collection, PointFilter filter, bool hold, CancellationToken cancellationToken);

    /// <summary>Returns the ids and jobs of some points that match, without reading their payload or vectors.</summary>
    /// <param name="collection">The collection.</param>
    /// <param name="filter">The filter.</param>
    /// <param name="pageToken">Empty, or the token of the previous page.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    Task<PointKeyPage> ListKeysAsync(
        string collection, PointFilter filter, string pageToken, CancellationToken cancellationToken);

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
    /// Returns a page of points in an order; each point once, unless it is written in between. INVALID_ARGUMENT for the order of ids
    /// in a store that has none, FAILED_PRECONDITION (<see cref="Reasons.AttributeNotIndexed"/>) for an attribute without an index
    /// of its type.
    /// </summary>
    /// <inheritdoc cref="ListAsync(string, PointFilter, int, string, bool, CancellationToken)"/>
    Task<PointPage> ListAsync(
        string collection,
        PointFilter filter,
        PointOrder order,
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
