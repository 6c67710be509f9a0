namespace Embeddings.Storage;

/// <summary>What to search with.</summary>
/// <param name="Vector">The vector, of any length but zero.</param>
/// <param name="ExcludeId">A point to leave out of the answer (the one whose vector it is), or null.</param>
internal sealed record VectorQuery(ReadOnlyMemory<float> Vector, string? ExcludeId = null);
