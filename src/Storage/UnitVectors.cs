using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage;

/// <summary>
/// Normalizes vectors in the same way for all stores, so that the same vectors have the same scores, bit for bit, in each of
/// them.
/// </summary>
internal static class UnitVectors
{
    // Less than Qdrant's tolerance for the squared norm (1e-6), so that Qdrant agrees with the decision made here, and less
    // than half a step of scores, so that the score of a vector with itself is 1.
    private const double Tolerance = 2.5e-7;

    /// <summary>The norm of the vector; null if it is 1, so that the vector is used unchanged.</summary>
    public static double? NormOf(ReadOnlySpan<float> vector)
    {
        var norm = VectorMath.Norm(vector);
        return IsUnit(norm) ? null : norm;
    }

    /// <summary>
    /// Writes the vector with norm 1, within 1.3e-7, to <paramref name="unit"/>, which may be the same memory. Returns false
    /// and writes nothing if all values are zero or one is NaN or infinite.
    /// </summary>
    public static bool TryNormalize(ReadOnlySpan<float> vector, Span<float> unit)
    {
        var norm = VectorMath.Norm(vector);
        if (!double.IsFinite(norm) || norm == 0)
        {
            return false;
        }
        if (IsUnit(norm))
        {
            vector.CopyTo(unit);
        }
        else
        {
            VectorMath.Divide(vector, norm, unit);
        }
        return true;
    }

    private static bool IsUnit(double norm) => Math.Abs((norm * norm) - 1) <= Tolerance;
}
