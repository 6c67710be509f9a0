namespace Embeddings.Storage.Qdrant;

/// <summary>What is known of a collection.</summary>
/// <param name="Info">The collection; its count is Qdrant's estimate of when it was read.</param>
/// <param name="HasMetadata">Whether the model is kept in its metadata; else in its reserved point, which must then be left out of everything.</param>
/// <param name="ReadAt">Timestamp of when it was read.</param>
internal sealed record CollectionState(CollectionInfo Info, bool HasMetadata, long ReadAt)
{
    /// <summary>The points that are none of the user's.</summary>
    public ReadOnlySpan<Guid> NotUsers => HasMetadata ? [] : new ReadOnlySpan<Guid>(in PointIds.Reserved);
}
