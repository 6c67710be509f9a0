using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Embeddings.Primitives.Numerics;

/// <summary>
/// Encodes vectors as bytes with a common scale: <c>x[i]</c> is about <c>scale * code[i]</c>, and the norm of the difference is
/// known exactly enough to bound dot products with it.
/// </summary>
internal static unsafe class ByteCodes
{
    /// <summary>The largest magnitude of a code of a row.</summary>
    public const int RowLevels = 127;

    /// <summary>Added to the codes of rows, which makes them unsigned: zero is stored as 128.</summary>
    public const byte RowBias = 128;

    // The norm of the difference is a sum in single precision, of at most 256 additions in each lane: its error is below 2e-5.
    private const int ChunkFloats = 4096;
    private const double Inflation = 1 + 1e-4;
    private const double Underflow = 1e-9;

    /// <summary>Number of bytes from one row to the next for vectors of this dimension: whole 64-byte registers.</summary>
    public static int Stride(int dimension) => checked(dimension + 63) / 64 * 64;

    /// <summary>Encodes a vector and returns a bound above the norm of <c>x - scale * code</c>.</summary>
    /// <param name="vector">The vector: finite, not all zero; a multiple of 64 floats.</param>
    /// <param name="levels">The largest magnitude of a code, 1 to 127.</param>
    /// <param name="bias">Added to each code: 0 for signed codes, <see cref="RowBias"/> for unsigned ones.</param>
    /// <param name="codes">The output, as many bytes as there are floats.</param>
    /// <param name="scale">The scale.</param>
    public static float Encode(ReadOnlySpan<float> vector, int levels, byte bias, Span<byte> codes, out float scale)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(vector.Length % 64, 0);
        ArgumentOutOfRangeException.ThrowIfLessThan(codes.Length, vector.Length);
        var largest = MathF.Abs(TensorPrimitives.MaxMagnitude(vector));
        scale = largest / levels;
        var squares = 0.0;
        fixed (float* from = vector)
        fixed (byte* to = codes)
        {
            for (var first = 0; first < vector.Length; first += ChunkFloats)
            {
                var count = Math.Min(ChunkFloats, vector.Length - first);
                squares += Encode(from + first, count, levels / largest, scale, bias, to + first);
            }
        }

        return RoundUp((Math.Sqrt(squares) * Inflation) + Underflow);
    }

    /// <summary>The smallest float that is not below a value.</summary>
    public static float RoundUp(double value)
    {
        var rounded = (float)value;
        return rounded < value ? MathF.BitIncrement(rounded) : rounded;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Encode(float* from, int count, float inverse, float scale, byte bias, byte* to)
    {
        var (inverses, scales, biases) = (Vector512.Create(inverse), Vector512.Create(-scale), Vector512.Create(bias));
        Vector512<float> sum = default;
        for (nint i = 0; i < count; i += 64)
        {
            var a = Round(from + i, inverses, scales, ref sum);
            var b = Round(from + i + 16, inverses, scales, ref sum);
            var c = Round(from + i + 32, inverses, scales, ref sum);
            var d = Round(from + i + 48, inverses, scales, ref sum);
            var codes = Vector512.Narrow(Vector512.Narrow(a, b), Vector512.Narrow(c, d));
            Vector512.Store(codes.AsByte() + biases, to + i);
        }

        return Vector512.Sum(sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Round(
        float* from, Vector512<float> inverse, Vector512<float> negativeScale, ref Vector512<float> sum)
    {
        var x = Vector512.Load(from);
        var rounded = Vector512.Round(x * inverse);
        var difference = Vector512.FusedMultiplyAdd(rounded, negativeScale, x);
        sum = Vector512.FusedMultiplyAdd(difference, difference, sum);
        return Vector512.ConvertToInt32Native(rounded);
    }
}
