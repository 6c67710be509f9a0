using System.Numerics.Tensors;

namespace Embeddings.Primitives.Numerics;

/// <summary>Brings vectors to L2 norm 1.</summary>
internal static class UnitLength
{
    // Squares of values within these neither overflow nor vanish, whatever a vector's length.
    private const float Small = 1e-12f;
    private const float Large = 1e12f;

    // Sums of this many squares are exact enough in float; the sum of the sums is kept in double.
    private const int Block = 256;

    /// <summary>
    /// Divides the vector by its L2 norm: then it is 1 within 1e-6. False, and the vector as it was, where a value is NaN or infinite or all are zero.
    /// </summary>
    public static bool TryNormalize(Span<float> vector)
    {
        if (vector.IsEmpty)
        {
            return false;
        }
        var largest = TensorPrimitives.MaxMagnitude<float>(vector);
        if (!float.IsFinite(largest) || largest == 0)
        {
            return false;
        }
        if (largest is < Small or > Large)
        {
            Rescale(vector, largest);
        }
        TensorPrimitives.Multiply(vector, (float)(1 / Norm(vector)), vector);
        return true;
    }

    /// <summary>The L2 norm, summed in double.</summary>
    public static double Norm(ReadOnlySpan<float> vector)
    {
        double sum = 0;
        while (vector.Length > Block)
        {
            sum += TensorPrimitives.SumOfSquares(vector[..Block]);
            vector = vector[Block..];
        }
        return Math.Sqrt(sum + TensorPrimitives.SumOfSquares(vector));
    }

    // By a power of two, so that nothing is rounded; in two steps, since the inverse of the smallest float is infinite.
    private static void Rescale(Span<float> vector, float largest)
    {
        var exponent = -MathF.ILogB(largest);
        var first = exponent / 2;
        TensorPrimitives.Multiply(vector, MathF.ScaleB(1, first), vector);
        TensorPrimitives.Multiply(vector, MathF.ScaleB(1, exponent - first), vector);
    }
}
