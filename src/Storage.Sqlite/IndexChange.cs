namespace Embeddings.Storage.Sqlite;

/// <summary>What a committed write means to a collection's memory.</summary>
/// <param name="Index">The collection.</param>
/// <param name="Row">The point's row number.</param>
/// <param name="Point">The point as it is now; null where it is gone.</param>
internal readonly record struct IndexChange(CollectionIndex Index, long Row, PointRow? Point);
