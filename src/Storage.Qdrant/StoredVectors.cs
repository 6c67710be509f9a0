using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Qdrant brings vectors to length 1 itself, in single precision, and leaves very short ones as they are; so that is done here, where it is exact for
/// every length, and the length goes with the point. A vector of length 1 comes back bit for bit, others within 2^-22 of each number
/// (and within 1e-38 of the length, for numbers that are nothing beside it).
/// </summary>
internal static class StoredVectors
{
    // Half of what Qdrant takes for length 1 (of the squared length), so that it agrees with what is decided here.
    private const double Tolerance = 5e-7;

    /// <summary>How long the vector is; null where it is 1, and needs no change.</summary>
    public static double? NormOf(ReadOnlySpan<float> vector)
    {
        var norm = UnitLength.Norm(vector);
        if (Math.Abs((norm * norm) - 1) <= Tolerance)
        {
            return null;
        }
        // Beyond these, squares in single precision have overflowed or lost their digits.
        return norm is > 1e-12 and < 1e17 ? norm : ExactNorm(vector);
    }

    /// <summary>Writes the vector of that length at length 1 to <paramref name="unit"/>.</summary>
    public static void ToUnit(ReadOnlySpan<float> vector, double norm, Span<float> unit)
    {
        var scale = 1 / norm;
        for (var i = 0; i < vector.Length; i++)
        {
            unit[i] = (float)(vector[i] * scale);
        }
    }

    /// <summary>The vector as it was.</summary>
    public static float[] FromUnit(IReadOnlyList<float> unit, double? norm)
    {
        var vector = new float[unit.Count];
        if (unit is ICollection<float> numbers)
        {
            numbers.CopyTo(vector, 0);
        }
        if (norm is { } length)
        {
            for (var i = 0; i < vector.Length; i++)
            {
                vector[i] = (float)(vector[i] * length);
            }
        }
        return vector;
    }

    private static double ExactNorm(ReadOnlySpan<float> vector)
    {
        var sum = 0.0;
        foreach (var value in vector)
        {
            sum += (double)value * value;
        }
        return Math.Sqrt(sum);
    }
}
