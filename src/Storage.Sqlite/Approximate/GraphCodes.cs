using System.Numerics.Tensors;

namespace Embeddings.Storage.Sqlite.Approximate;

/// <summary>
/// Vectors as int8. Each has a scale of its own, so that its largest value becomes 127: with the fixed scale of USearch the values
/// of a unit vector with 512 dimensions would be between -6 and 6, which loses one in thirty of the nearest points. The cosine of
/// codes does not depend on the scale, so it is not kept.
/// </summary>
internal static class GraphCodes
{
    /// <summary>
    /// The most dimensions of a graph: with more, sums of products of codes could exceed 32 bits.
    /// </summary>
    public const int MaxDimension = 65_536;

    /// <summary>Writes the codes of a vector, which must be finite and not all zero.</summary>
    public static void Encode(ReadOnlySpan<float> vector, Span<sbyte> codes)
    {
        var scale = 127 / TensorPrimitives.MaxMagnitude(vector);
        scale = MathF.Abs(scale);
        for (var i = 0; i < vector.Length; i++)
        {
            codes[i] = (sbyte)MathF.Round(vector[i] * scale);
        }
    }
}
