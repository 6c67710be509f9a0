namespace Embeddings.Storage;

/// <summary>Where a face is, in pixels of its source picture.</summary>
internal readonly record struct BoundingBox(float X, float Y, float Width, float Height);
