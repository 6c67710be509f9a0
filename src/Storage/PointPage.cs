namespace Embeddings.Storage;

/// <summary>A page of points.</summary>
/// <param name="Points">At most as many as asked for.</param>
/// <param name="NextPageToken">For the next page; empty where this is the last.</param>
internal sealed record PointPage(IReadOnlyList<StoredPoint> Points, string NextPageToken);
