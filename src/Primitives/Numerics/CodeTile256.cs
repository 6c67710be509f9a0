using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Embeddings.Primitives.Numerics;

/// <summary>Register tiles of <see cref="CodeDots"/> for AVX2.</summary>
internal static unsafe class CodeTile256
{
    /// <summary>Four rows by two queries: <c>tile[q * 4 + r]</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FourByTwo(nint* rows, sbyte* queries, int stride, int* tile)
    {
        var r0 = (byte*)rows[0];
        var r1 = (byte*)rows[1];
        var r2 = (byte*)rows[2];
        var r3 = (byte*)rows[3];
        var q1 = queries + stride;
        Vector256<int> a00 = default, a10 = default, a20 = default, a30 = default;
        Vector256<int> a01 = default, a11 = default, a21 = default, a31 = default;
        for (nint i = 0; i < stride; i += 64)
        {
            Vector256<byte> x = Vector256.LoadAligned(r0 + i), z = Vector256.LoadAligned(r0 + i + 32);
            a00 = Add(a00, x, queries + i, z);
            a01 = Add(a01, x, q1 + i, z);
            (x, z) = (Vector256.LoadAligned(r1 + i), Vector256.LoadAligned(r1 + i + 32));
            a10 = Add(a10, x, queries + i, z);
            a11 = Add(a11, x, q1 + i, z);
            (x, z) = (Vector256.LoadAligned(r2 + i), Vector256.LoadAligned(r2 + i + 32));
            a20 = Add(a20, x, queries + i, z);
            a21 = Add(a21, x, q1 + i, z);
            (x, z) = (Vector256.LoadAligned(r3 + i), Vector256.LoadAligned(r3 + i + 32));
            a30 = Add(a30, x, queries + i, z);
            a31 = Add(a31, x, q1 + i, z);
        }

        Vector128.Store(Sums(a00, a10, a20, a30), tile);
        Vector128.Store(Sums(a01, a11, a21, a31), tile + 4);
    }

    /// <summary>Four rows by one query: <c>tile[r]</c>, one row after the other, in the direction in which the processor reads ahead.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FourByOne(nint* rows, sbyte* query, int stride, int* tile)
    {
        var a = Row((byte*)rows[0], query, stride);
        var b = Row((byte*)rows[1], query, stride);
        var c = Row((byte*)rows[2], query, stride);
        var d = Row((byte*)rows[3], query, stride);
        Vector128.Store(Sums(a, b, c, d), tile);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Row(byte* row, sbyte* query, int stride)
    {
        Vector256<int> sum = default;
        for (nint i = 0; i < stride; i += 64)
        {
            sum = Add(sum, Vector256.LoadAligned(row + i), query + i, Vector256.LoadAligned(row + i + 32));
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Add(Vector256<int> sum, Vector256<byte> x, sbyte* query, Vector256<byte> z) =>
        sum + Avx2.MultiplyAddAdjacent(
            Avx2.MultiplyAddAdjacent(x, Vector256.LoadAligned(query))
                + Avx2.MultiplyAddAdjacent(z, Vector256.LoadAligned(query + 32)),
            Vector256<short>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Sums(Vector256<int> a, Vector256<int> b, Vector256<int> c, Vector256<int> d)
    {
        var all = Avx2.HorizontalAdd(Avx2.HorizontalAdd(a, b), Avx2.HorizontalAdd(c, d));
        return all.GetLower() + all.GetUpper();
    }
}

/// <summary>Tiles of <see cref="CodeDots"/> for any processor.</summary>
internal static unsafe class CodeTilePortable
{
    /// <summary>Four rows by two queries: <c>tile[q * 4 + r]</c>.</summary>
    public static void FourByTwo(nint* rows, sbyte* queries, int stride, int* tile)
    {
        FourByOne(rows, queries, stride, tile);
        FourByOne(rows, queries + stride, stride, tile + 4);
    }

    /// <summary>Four rows by one query: <c>tile[r]</c>.</summary>
    public static void FourByOne(nint* rows, sbyte* query, int stride, int* tile)
    {
        for (var r = 0; r < CodeDots.TileRows; r++)
        {
            tile[r] = Dot((byte*)rows[r], query, stride);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Dot(byte* row, sbyte* query, int stride)
    {
        Vector128<int> sum = default;
        for (nint i = 0; i < stride; i += 32)
        {
            // A product is at most 255 * 32, so four of them can be added in 16 bits.
            var (x0, x1) = Vector128.Widen(Vector128.LoadAligned(row + i));
            var (x2, x3) = Vector128.Widen(Vector128.LoadAligned(row + i + 16));
            var (y0, y1) = Vector128.Widen(Vector128.LoadAligned(query + i));
            var (y2, y3) = Vector128.Widen(Vector128.LoadAligned(query + i + 16));
            var four = (x0.AsInt16() * y0) + (x1.AsInt16() * y1) + (x2.AsInt16() * y2) + (x3.AsInt16() * y3);
            var (low, high) = Vector128.Widen(four);
            sum += low + high;
        }

        return Vector128.Sum(sum);
    }
}
