using System.Numerics.Tensors;
using System.Runtime.Intrinsics;

namespace Embeddings.Primitives.Numerics;

/// <summary>SIMD operations on whole vectors: normalization, similarity, checks and conversion.</summary>
internal static class VectorMath
{
    // Between these norms, the inverse is a normal number in single precision.
    private const double SmallestSafeNorm = 1e-10;
    private const double LargestSafeNorm = 1e17;

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
        var whole = vector.Length - (vector.Length % Vector512<float>.Count);
        for (var i = 0; i < whole; i += Vector512<float>.Count)
        {
            var (x0, x1) = Vector512.Widen(Vector512.LoadUnsafe(in vector[i]));
            Vector512.Narrow(x0 * scale, x1 * scale).StoreUnsafe(ref unit[i]);
        }
        for (var i = whole; i < vector.Length; i++)
        {
            unit[i] = (float)(vector[i] * scale);
        }
    }

    /// <summary>
    /// The L2 norm, accurate for values of any magnitude; NaN or infinite if a value is. Equal vectors have equal norms at
    /// any address, unlike those of <see cref="TensorPrimitives"/>.
    /// </summary>
    public static double Norm(ReadOnlySpan<float> vector)
    {
        Vector512<double> lower = default, upper = default;
        var whole = vector.Length - (vector.Length % Vector512<float>.Count);
        for (var i = 0; i < whole; i += Vector512<float>.Count)
        {
            var (x0, x1) = Vector512.Widen(Vector512.LoadUnsafe(in vector[i]));
            lower = Vector512.FusedMultiplyAdd(x0, x0, lower);
            upper = Vector512.FusedMultiplyAdd(x1, x1, upper);
        }
        var sum = Vector512.Sum(lower + upper);
        foreach (var x in vector[whole..])
        {
            sum += (double)x * x;
        }
        return Math.Sqrt(sum);
    }

    /// <summary>
    /// The cosine similarity, -1 to 1, of two vectors of the same length of at least 1; NaN if one is all zero.
    /// </summary>
    public static float CosineSimilarity(ReadOnlySpan<float> left, ReadOnlySpan<float> right) =>
        TensorPrimitives.CosineSimilarity(left, right);

    /// <summary>
    /// The cosine similarity of two vectors of the same length whose norms are near 1, in double precision. It depends on
    /// their values only, not on their addresses.
    /// </summary>
    public static double PreciseCosine(ReadOnlySpan<float> left, ReadOnlySpan<float> right)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(right.Length, left.Length);
        Vector512<double> dot0 = default, dot1 = default, left0 = default, left1 = default, right0 = default, right1 = default;
        var whole = left.Length - (left.Length % Vector512<float>.Count);
        for (var i = 0; i < whole; i += Vector512<float>.Count)
        {
            var (x0, x1) = Vector512.Widen(Vector512.LoadUnsafe(in left[i]));
            var (y0, y1) = Vector512.Widen(Vector512.LoadUnsafe(in right[i]));
            dot0 = Vector512.FusedMultiplyAdd(x0, y0, dot0);
            dot1 = Vector512.FusedMultiplyAdd(x1, y1, dot1);
            left0 = Vector512.FusedMultiplyAdd(x0, x0, left0);
            left1 = Vector512.FusedMultiplyAdd(x1, x1, left1);
            right0 = Vector512.FusedMultiplyAdd(y0, y0, right0);
            right1 = Vector512.FusedMultiplyAdd(y1, y1, right1);
        }
        var sum = Vector512.Sum(dot0 + dot1);
        var leftSum = Vector512.Sum(left0 + left1);
        var rightSum = Vector512.Sum(right0 + right1);
        for (var i = whole; i < left.Length; i++)
        {
            double x = left[i], y = right[i];
            sum += x * y;
            leftSum += x * x;
            rightSum += y * y;
        }
        return sum / Math.Sqrt(leftSum * rightSum);
    }

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
