using System.Numerics.Tensors;

namespace Embeddings.Primitives.Numerics;

/// <summary>How alike two vectors point.</summary>
internal static class Cosine
{
    /// <summary>-1 to 1; NaN where one has no length. Both are of the same length, at least 1.</summary>
    public static float Similarity(ReadOnlySpan<float> left, ReadOnlySpan<float> right) => TensorPrimitives.CosineSimilarity(left, right);
}
