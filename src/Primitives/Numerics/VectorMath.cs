using System.Numerics.Tensors;

namespace Embeddings.Primitives.Numerics;

/// <summary>SIMD operations on whole vectors: normalization, similarity, checks and conversion.</summary>
internal static class VectorMath
{
    // Between these norms, sums of squares in single precision neither overflow nor lose digits.
    private const double SmallestSafeNorm = 1e-10;
    private const double LargestSafeNorm = 1e17;

    // Sums of this many squares are accurate in single precision; the total is kept in double precision.
    private const int Block = 256;

    /// <summary>
    /// Divides the vector by its L2 norm, so that its norm is 1 within 1e-6. Returns false and leaves the vector
    /// unchanged if all values are zero or one is NaN or infinite.
    /// </summary>
    public static bool TryNormalize(Span<float> vector) => TryNormalize(vector, vector);

    /// <summary>
    /// Writes <paramref name="vector"/> divided by its L2 norm to the start of <paramref name="unit"/>, which may be
    /// the same memory. Returns false and writes nothing if all values are zero or one is NaN or infinite.
    /// </summary>
    public static bool TryNormalize(ReadOnlySpan<float> vector, Span<float> unit)
    {
        var norm = Norm(vector);
        if (!double.IsFinite(norm) || norm == 0)
        {
            return false;
        }
        if (norm is > SmallestSafeNorm and < LargestSafeNorm)
        {
            TensorPrimitives.Multiply(vector, (float)(1 / norm), unit);
        }
        else
        {
            Divide(vector, norm, unit);
        }
        return true;
    }

    /// <summary>
    /// Writes <paramref name="vector"/> divided by <paramref name="norm"/> to <paramref name="unit"/>, in double
    /// precision.
    /// </summary>
    public static void Divide(ReadOnlySpan<float> vector, double norm, Span<float> unit)
    {
        var scale = 1 / norm;
        for (var i = 0; i < vector.Length; i++)
        {
            unit[i] = (float)(vector[i] * scale);
        }
    }

    /// <summary>The L2 norm, accurate for values of any magnitude; NaN or infinite if a value is.</summary>
    public static double Norm(ReadOnlySpan<float> vector)
    {
        var sum = 0.0;
        var rest = vector;
        while (rest.Length > Block)
        {
            sum += TensorPrimitives.SumOfSquares(rest[..Block]);
            rest = rest[Block..];
        }
        var norm = Math.Sqrt(sum + TensorPrimitives.SumOfSquares(rest));
        if (norm is > SmallestSafeNorm and < LargestSafeNorm)
        {
            return norm;
        }

        sum = 0;
        foreach (var value in vector)
        {
            sum += (double)value * value;
        }
        return Math.Sqrt(sum);
    }

    /// <summary>
    /// The cosine similarity, -1 to 1, of two vectors of the same length of at least 1; NaN if one is all zero.
    /// </summary>
    public static float CosineSimilarity(ReadOnlySpan<float> left, ReadOnlySpan<float> right) =>
        TensorPrimitives.CosineSimilarity(left, right);

    /// <summary>Returns true if no value is NaN or infinite; true for an empty vector.</summary>
    // MaxMagnitude propagates NaN, so one pass is enough.
    public static bool IsFinite(ReadOnlySpan<float> values) =>
        values.IsEmpty || float.IsFinite(TensorPrimitives.MaxMagnitude(values));

    /// <summary>Returns true if every value is zero, of either sign; true for an empty vector.</summary>
    public static bool IsZero(ReadOnlySpan<float> values) => values.IsEmpty || TensorPrimitives.MaxMagnitude(values) == 0;

    /// <summary>
    /// Converts to float16: rounds to nearest, ties to even; magnitudes above 65,504 become infinite.
    /// </summary>
    public static void ToHalf(ReadOnlySpan<float> from, Span<Half> to) => TensorPrimitives.ConvertToHalf(from, to);

    /// <summary>Converts from float16, exactly.</summary>
    public static void ToSingle(ReadOnlySpan<Half> from, Span<float> to) => TensorPrimitives.ConvertToSingle(from, to);
}
