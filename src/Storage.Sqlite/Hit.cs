namespace Embeddings.Storage.Sqlite;

/// <summary>A point a scan found.</summary>
internal readonly record struct Hit(float Score, long Row, string Id)
{
    /// <summary>Whether this one stands before the other: by score, equal scores by ordinal id.</summary>
    public bool Beats(in Hit other) => Score > other.Score || (Score == other.Score && string.CompareOrdinal(Id, other.Id) < 0);
}
