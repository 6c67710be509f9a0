namespace Embeddings.Storage;

/// <summary>Result of a deletion.</summary>
/// <param name="Deleted">The number of points removed.</param>
/// <param name="Held">The number of points that were selected and kept, since they are on legal hold.</param>
internal readonly record struct DeleteCounts(long Deleted, long Held)
{
    public static DeleteCounts operator +(DeleteCounts left, DeleteCounts right) =>
        new(left.Deleted + right.Deleted, left.Held + right.Held);
}

/// <summary>Receives the ids of the points that a deletion removes. Not thread-safe; a store calls it from one thread at a time.</summary>
internal interface IDeletedIds
{
    /// <summary>Discards all ids: the deletion begins, or was rolled back and is repeated.</summary>
    void Begin();

    /// <summary>Adds the id of a point that is removed.</summary>
    void Add(string id);
}

/// <summary>Id and job of a point.</summary>
internal readonly record struct PointKey(string Id, string JobId);

/// <summary>A page of keys.</summary>
/// <param name="Keys">The keys; may be fewer than a full page.</param>
/// <param name="NextPageToken">The token of the next page; empty on the last page.</param>
internal sealed record PointKeyPage(IReadOnlyList<PointKey> Keys, string NextPageToken);

/// <summary>Deletions of callers that need only the number of points removed.</summary>
internal static class VectorStoreDeletions
{
    public static async Task<long> DropCollectionAsync(
        this IVectorStore store, string collection, CancellationToken cancellationToken) =>
        (await store.DropCollectionAsync(collection, null, cancellationToken)).Deleted;

    public static async Task<long> DeleteAsync(
        this IVectorStore store, string collection, IReadOnlyList<string> ids, CancellationToken cancellationToken) =>
        (await store.DeleteAsync(collection, ids, null, cancellationToken)).Deleted;

    public static async Task<long> DeleteAsync(
        this IVectorStore store, string collection, PointFilter filter, CancellationToken cancellationToken) =>
        (await store.DeleteAsync(collection, filter, null, cancellationToken)).Deleted;
}
