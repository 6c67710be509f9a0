using System.Numerics.Tensors;

namespace Embeddings.Primitives.Numerics;

/// <summary>Brings stored vectors and queries to unit length, so that their dot product is their cosine.</summary>
internal static class RowNormalizer
{
    // Squares sum safely in single precision between these; beyond, they would overflow or lose their digits.
    private const float SmallestSafe = 1e-20f;
    private const float LargestSafe = 1e37f;

    /// <summary>
    /// Writes <paramref name="vector"/> at unit length to the start of <paramref name="unit"/>; false, and nothing of use is written, where it has no
    /// direction: all zero, or a number that is not finite.
    /// </summary>
    public static bool TryNormalize(ReadOnlySpan<float> vector, Span<float> unit)
    {
        var squares = TensorPrimitives.SumOfSquares(vector);
        if (squares is > SmallestSafe and < LargestSafe)
        {
            TensorPrimitives.Multiply(vector, 1 / MathF.Sqrt(squares), unit);
            return true;
        }

        var sum = 0.0;
        foreach (var value in vector)
        {
            sum += (double)value * value;
        }

        if (!double.IsFinite(sum) || sum == 0)
        {
            return false;
        }

        var scale = 1 / Math.Sqrt(sum);
        for (var i = 0; i < vector.Length; i++)
        {
            unit[i] = (float)(vector[i] * scale);
        }

        return true;
    }
}
