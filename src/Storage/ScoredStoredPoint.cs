namespace Embeddings.Storage;

/// <summary>A point found.</summary>
/// <param name="Score">Cosine similarity to the query, -1 to 1.</param>
/// <param name="Point">The point; its vector only where asked for, its payload <see cref="PointPayload.Empty"/> where not asked for.</param>
internal sealed record ScoredStoredPoint(float Score, StoredPoint Point);
