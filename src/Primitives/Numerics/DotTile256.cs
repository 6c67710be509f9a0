using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Embeddings.Primitives.Numerics;

/// <summary>
/// Register tiles of <see cref="DotProducts"/> for 256-bit vectors: eight accumulators, four rows and a query use 13 of
/// the 16 registers.
/// </summary>
internal static unsafe class DotTile256
{
    /// <summary>Four rows by two queries: <c>tile[q * 4 + r]</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FourByTwo(nint* rows, float* queries, int stride, float* tile)
    {
        var r0 = (float*)rows[0];
        var r1 = (float*)rows[1];
        var r2 = (float*)rows[2];
        var r3 = (float*)rows[3];
        var q1 = queries + stride;
        Vector256<float> a00 = default, a10 = default, a20 = default, a30 = default;
        Vector256<float> a01 = default, a11 = default, a21 = default, a31 = default;
        for (nint i = 0; i < stride; i += Vector256<float>.Count)
        {
            var x0 = Vector256.LoadAligned(r0 + i);
            var x1 = Vector256.LoadAligned(r1 + i);
            var x2 = Vector256.LoadAligned(r2 + i);
            var x3 = Vector256.LoadAligned(r3 + i);
            var y = Vector256.LoadAligned(queries + i);
            a00 = Vector256.FusedMultiplyAdd(x0, y, a00);
            a10 = Vector256.FusedMultiplyAdd(x1, y, a10);
            a20 = Vector256.FusedMultiplyAdd(x2, y, a20);
            a30 = Vector256.FusedMultiplyAdd(x3, y, a30);
            y = Vector256.LoadAligned(q1 + i);
            a01 = Vector256.FusedMultiplyAdd(x0, y, a01);
            a11 = Vector256.FusedMultiplyAdd(x1, y, a11);
            a21 = Vector256.FusedMultiplyAdd(x2, y, a21);
            a31 = Vector256.FusedMultiplyAdd(x3, y, a31);
        }

        tile[0] = Vector256.Sum(a00);
        tile[1] = Vector256.Sum(a10);
        tile[2] = Vector256.Sum(a20);
        tile[3] = Vector256.Sum(a30);
        tile[4] = Vector256.Sum(a01);
        tile[5] = Vector256.Sum(a11);
        tile[6] = Vector256.Sum(a21);
        tile[7] = Vector256.Sum(a31);
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
            Vector256<float> sum = default;
            for (nint i = 0; i < stride; i += Vector256<float>.Count)
            {
                sum = Vector256.FusedMultiplyAdd(Vector256.LoadAligned(row + i), Vector256.LoadAligned(query + i), sum);
            }

            scores[r] = Vector256.Sum(sum);
        }
    }
}
