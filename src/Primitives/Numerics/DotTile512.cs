using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Embeddings.Primitives.Numerics;

/// <summary>
/// Register tiles of <see cref="DotProducts"/> for 512-bit vectors: sixteen accumulators, four rows and a query use 21
/// of the 32 registers, and each load of a query feeds four multiplications.
/// </summary>
internal static unsafe class DotTile512
{
    /// <summary>Four rows by four queries: <c>tile[q * 4 + r]</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FourByFour(nint* rows, float* queries, int stride, float* tile)
    {
        var r0 = (float*)rows[0];
        var r1 = (float*)rows[1];
        var r2 = (float*)rows[2];
        var r3 = (float*)rows[3];
        var q1 = queries + stride;
        var q2 = queries + ((nint)2 * stride);
        var q3 = queries + ((nint)3 * stride);
        Vector512<float> a00 = default, a10 = default, a20 = default, a30 = default;
        Vector512<float> a01 = default, a11 = default, a21 = default, a31 = default;
        Vector512<float> a02 = default, a12 = default, a22 = default, a32 = default;
        Vector512<float> a03 = default, a13 = default, a23 = default, a33 = default;
        for (nint i = 0; i < stride; i += Vector512<float>.Count)
        {
            var x0 = Vector512.LoadAligned(r0 + i);
            var x1 = Vector512.LoadAligned(r1 + i);
            var x2 = Vector512.LoadAligned(r2 + i);
            var x3 = Vector512.LoadAligned(r3 + i);
            var y = Vector512.LoadAligned(queries + i);
            a00 = Vector512.FusedMultiplyAdd(x0, y, a00);
            a10 = Vector512.FusedMultiplyAdd(x1, y, a10);
            a20 = Vector512.FusedMultiplyAdd(x2, y, a20);
            a30 = Vector512.FusedMultiplyAdd(x3, y, a30);
            y = Vector512.LoadAligned(q1 + i);
            a01 = Vector512.FusedMultiplyAdd(x0, y, a01);
            a11 = Vector512.FusedMultiplyAdd(x1, y, a11);
            a21 = Vector512.FusedMultiplyAdd(x2, y, a21);
            a31 = Vector512.FusedMultiplyAdd(x3, y, a31);
            y = Vector512.LoadAligned(q2 + i);
            a02 = Vector512.FusedMultiplyAdd(x0, y, a02);
            a12 = Vector512.FusedMultiplyAdd(x1, y, a12);
            a22 = Vector512.FusedMultiplyAdd(x2, y, a22);
            a32 = Vector512.FusedMultiplyAdd(x3, y, a32);
            y = Vector512.LoadAligned(q3 + i);
            a03 = Vector512.FusedMultiplyAdd(x0, y, a03);
            a13 = Vector512.FusedMultiplyAdd(x1, y, a13);
            a23 = Vector512.FusedMultiplyAdd(x2, y, a23);
            a33 = Vector512.FusedMultiplyAdd(x3, y, a33);
        }

        tile[0] = Vector512.Sum(a00);
        tile[1] = Vector512.Sum(a10);
        tile[2] = Vector512.Sum(a20);
        tile[3] = Vector512.Sum(a30);
        tile[4] = Vector512.Sum(a01);
        tile[5] = Vector512.Sum(a11);
        tile[6] = Vector512.Sum(a21);
        tile[7] = Vector512.Sum(a31);
        tile[8] = Vector512.Sum(a02);
        tile[9] = Vector512.Sum(a12);
        tile[10] = Vector512.Sum(a22);
        tile[11] = Vector512.Sum(a32);
        tile[12] = Vector512.Sum(a03);
        tile[13] = Vector512.Sum(a13);
        tile[14] = Vector512.Sum(a23);
        tile[15] = Vector512.Sum(a33);
    }

    /// <summary>
    /// Any number of rows by one query: <c>scores[r]</c>. One row after the other: a single query is limited by memory
    /// bandwidth, which is highest for sequential reads; the processor overlaps the end of one row with the start of
    /// the next.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RowsByOne(nint* rows, int count, float* query, int stride, float* scores)
    {
        for (var r = 0; r < count; r++)
        {
            var row = (float*)rows[r];
            Vector512<float> sum = default;
            for (nint i = 0; i < stride; i += Vector512<float>.Count)
            {
                sum = Vector512.FusedMultiplyAdd(Vector512.LoadAligned(row + i), Vector512.LoadAligned(query + i), sum);
            }

            scores[r] = Vector512.Sum(sum);
        }
    }
}
