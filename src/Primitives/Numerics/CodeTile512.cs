using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Embeddings.Primitives.Numerics;

/// <summary>
/// Register tiles of <see cref="CodeDots"/> for AVX-512: sixteen accumulators, two registers of each of four rows and of a query
/// use 27 of the 32 registers.
/// </summary>
internal static unsafe class CodeTile512
{
    /// <summary>Four rows by four queries: <c>tile[q * 4 + r]</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FourByFour(nint* rows, sbyte* queries, int stride, int* tile)
    {
        var r0 = (byte*)rows[0];
        var r1 = (byte*)rows[1];
        var r2 = (byte*)rows[2];
        var r3 = (byte*)rows[3];
        var q1 = queries + stride;
        var q2 = queries + ((nint)2 * stride);
        var q3 = queries + ((nint)3 * stride);
        Vector512<int> a00 = default, a10 = default, a20 = default, a30 = default;
        Vector512<int> a01 = default, a11 = default, a21 = default, a31 = default;
        Vector512<int> a02 = default, a12 = default, a22 = default, a32 = default;
        Vector512<int> a03 = default, a13 = default, a23 = default, a33 = default;
        nint i = 0;
        for (; i <= stride - 128; i += 128)
        {
            Vector512<byte> x0 = Vector512.LoadAligned(r0 + i), z0 = Vector512.LoadAligned(r0 + i + 64);
            Vector512<byte> x1 = Vector512.LoadAligned(r1 + i), z1 = Vector512.LoadAligned(r1 + i + 64);
            Vector512<byte> x2 = Vector512.LoadAligned(r2 + i), z2 = Vector512.LoadAligned(r2 + i + 64);
            Vector512<byte> x3 = Vector512.LoadAligned(r3 + i), z3 = Vector512.LoadAligned(r3 + i + 64);
            Vector512<sbyte> y = Vector512.LoadAligned(queries + i), w = Vector512.LoadAligned(queries + i + 64);
            a00 = Add(a00, x0, y, z0, w);
            a10 = Add(a10, x1, y, z1, w);
            a20 = Add(a20, x2, y, z2, w);
            a30 = Add(a30, x3, y, z3, w);
            (y, w) = (Vector512.LoadAligned(q1 + i), Vector512.LoadAligned(q1 + i + 64));
            a01 = Add(a01, x0, y, z0, w);
            a11 = Add(a11, x1, y, z1, w);
            a21 = Add(a21, x2, y, z2, w);
            a31 = Add(a31, x3, y, z3, w);
            (y, w) = (Vector512.LoadAligned(q2 + i), Vector512.LoadAligned(q2 + i + 64));
            a02 = Add(a02, x0, y, z0, w);
            a12 = Add(a12, x1, y, z1, w);
            a22 = Add(a22, x2, y, z2, w);
            a32 = Add(a32, x3, y, z3, w);
            (y, w) = (Vector512.LoadAligned(q3 + i), Vector512.LoadAligned(q3 + i + 64));
            a03 = Add(a03, x0, y, z0, w);
            a13 = Add(a13, x1, y, z1, w);
            a23 = Add(a23, x2, y, z2, w);
            a33 = Add(a33, x3, y, z3, w);
        }

        if (i < stride)
        {
            var x0 = Vector512.LoadAligned(r0 + i);
            var x1 = Vector512.LoadAligned(r1 + i);
            var x2 = Vector512.LoadAligned(r2 + i);
            var x3 = Vector512.LoadAligned(r3 + i);
            var y = Vector512.LoadAligned(queries + i);
            a00 = Add(a00, x0, y);
            a10 = Add(a10, x1, y);
            a20 = Add(a20, x2, y);
            a30 = Add(a30, x3, y);
            y = Vector512.LoadAligned(q1 + i);
            a01 = Add(a01, x0, y);
            a11 = Add(a11, x1, y);
            a21 = Add(a21, x2, y);
            a31 = Add(a31, x3, y);
            y = Vector512.LoadAligned(q2 + i);
            a02 = Add(a02, x0, y);
            a12 = Add(a12, x1, y);
            a22 = Add(a22, x2, y);
            a32 = Add(a32, x3, y);
            y = Vector512.LoadAligned(q3 + i);
            a03 = Add(a03, x0, y);
            a13 = Add(a13, x1, y);
            a23 = Add(a23, x2, y);
            a33 = Add(a33, x3, y);
        }

        Vector128.Store(Sums(a00, a10, a20, a30), tile);
        Vector128.Store(Sums(a01, a11, a21, a31), tile + 4);
        Vector128.Store(Sums(a02, a12, a22, a32), tile + 8);
        Vector128.Store(Sums(a03, a13, a23, a33), tile + 12);
    }

    /// <summary>
    /// Four rows by one query: <c>tile[r]</c>. One row after the other: a single query is limited by memory bandwidth, and the processor
    /// reads ahead only in one direction; four rows side by side take more than twice the time.
    /// </summary>
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
    private static Vector512<int> Row(byte* row, sbyte* query, int stride)
    {
        Vector512<int> sum = default;
        nint i = 0;
        for (; i <= stride - 128; i += 128)
        {
            sum = Add(
                sum,
                Vector512.LoadAligned(row + i),
                Vector512.LoadAligned(query + i),
                Vector512.LoadAligned(row + i + 64),
                Vector512.LoadAligned(query + i + 64));
        }

        return i < stride ? Add(sum, Vector512.LoadAligned(row + i), Vector512.LoadAligned(query + i)) : sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Add(
        Vector512<int> sum, Vector512<byte> x, Vector512<sbyte> y, Vector512<byte> z, Vector512<sbyte> w) =>
        sum + Avx512BW.MultiplyAddAdjacent(
            Avx512BW.MultiplyAddAdjacent(x, y) + Avx512BW.MultiplyAddAdjacent(z, w), Vector512<short>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Add(Vector512<int> sum, Vector512<byte> x, Vector512<sbyte> y) =>
        sum + Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(x, y), Vector512<short>.One);

    /// <summary>The sums of four vectors, in a third of the instructions of four separate sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Sums(Vector512<int> a, Vector512<int> b, Vector512<int> c, Vector512<int> d)
    {
        // Pairs a0+a2, b0+b2, a1+a3, b1+b3 in each part of 128 bits, then the four sums of each part.
        var ab = (Avx512F.UnpackLow(a, b) + Avx512F.UnpackHigh(a, b)).AsInt64();
        var cd = (Avx512F.UnpackLow(c, d) + Avx512F.UnpackHigh(c, d)).AsInt64();
        var all = Avx512F.UnpackLow(ab, cd).AsInt32() + Avx512F.UnpackHigh(ab, cd).AsInt32();
        var half = all.GetLower() + all.GetUpper();
        return half.GetLower() + half.GetUpper();
    }
}
