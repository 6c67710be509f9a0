using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Embeddings.Primitives.Numerics;

/// <summary>
/// Dot products of many rows of unsigned bytes with many queries of small signed bytes, exact in integers. Rows and queries are
/// padded to <see cref="ByteCodes.Stride"/> bytes, queries with zeros, and aligned to 64 bytes.
/// </summary>
/// <remarks>
/// The widest instruction that .NET offers for it on AVX2 and AVX-512 adds two products in 16 bits. With queries of at most
/// <see cref="QueryLevels"/>, two of its results can be added in 16 bits without an overflow, which takes a third less time than
/// with full bytes. The coarser query costs little: few rows get to the next, precise step.
/// </remarks>
internal static unsafe class CodeDots
{
    /// <summary>The largest magnitude of a query's code: 4 * 255 * 32 fits into 16 bits with sign.</summary>
    public const int QueryLevels = 32;

    /// <summary>Number of rows in a tile.</summary>
    public const int TileRows = 4;

    // 127 * 32 * 524,288 fits into 32 bits.
    private const int LongVector = 1 << 19;
    private const int LongVectorLevels = 15;

    /// <summary>
    /// The largest magnitude of a query's code for vectors of this length, so that dot products fit into 32 bits; up to
    /// 1,048,576 dimensions.
    /// </summary>
    public static int LevelsFor(int stride) => stride <= LongVector ? QueryLevels : LongVectorLevels;

    /// <summary>Writes <c>dots[q * rows.Length + r]</c> for every query <c>q</c> and row <c>r</c>, modulo 2^32.</summary>
    /// <param name="rows">The addresses of the rows.</param>
    /// <param name="queries">The queries, contiguous, <paramref name="stride"/> bytes each.</param>
    /// <param name="queryCount">The number of queries.</param>
    /// <param name="stride">The number of bytes in a row, from <see cref="ByteCodes.Stride"/>.</param>
    /// <param name="dots">The output: at least rows times queries.</param>
    public static void Compute(ReadOnlySpan<nint> rows, sbyte* queries, int queryCount, int stride, Span<int> dots)
    {
        if (Avx512BW.IsSupported)
        {
            Compute(rows, queries, queryCount, stride, dots, 4, &CodeTile512.FourByFour, &CodeTile512.RowsByOne);
        }
        else if (Avx2.IsSupported)
        {
            Compute(rows, queries, queryCount, stride, dots, 2, &CodeTile256.FourByTwo, &CodeTile256.RowsByOne);
        }
        else
        {
            Compute(rows, queries, queryCount, stride, dots, 2, &CodeTilePortable.FourByTwo, &CodeTilePortable.RowsByOne);
        }
    }

    /// <summary>The same with the given tiles, so that tests cover tiles that this machine would not select.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Compute(
        ReadOnlySpan<nint> rows,
        sbyte* queries,
        int queryCount,
        int stride,
        Span<int> dots,
        int tileQueries,
        delegate*<nint*, sbyte*, int, int*, void> wide,
        delegate*<nint*, int, sbyte*, int, int*, void> narrow)
    {
        if (rows.IsEmpty || queryCount == 0)
        {
            return;
        }

        _ = dots[(rows.Length * queryCount) - 1];
        var tile = stackalloc int[TileRows * 4];
        var last = stackalloc nint[TileRows];
        fixed (nint* addresses = rows)
        fixed (int* output = dots)
        {
            // The last tile repeats its last row: cheaper than a second kernel.
            var whole = rows.Length / TileRows * TileRows;
            for (var i = 0; i < TileRows; i++)
            {
                last[i] = addresses[Math.Min(whole + i, rows.Length - 1)];
            }

            var q = 0;
            for (; q <= queryCount - tileQueries; q += tileQueries)
            {
                for (var r = 0; r < rows.Length; r += TileRows)
                {
                    wide(r < whole ? addresses + r : last, queries + ((nint)q * stride), stride, tile);
                    for (var i = 0; i < tileQueries; i++)
                    {
                        var to = output + ((nint)(q + i) * rows.Length) + r;
                        if (r < whole)
                        {
                            Vector128.Store(Vector128.Load(tile + (i * TileRows)), to);
                        }
                        else
                        {
                            new Span<int>(tile + (i * TileRows), rows.Length - whole).CopyTo(new(to, rows.Length - whole));
                        }
                    }
                }
            }

            for (; q < queryCount; q++)
            {
                narrow(addresses, rows.Length, queries + ((nint)q * stride), stride, output + ((nint)q * rows.Length));
            }
        }
    }

    /// <summary>
    /// The dot product of a row's codes, without their bias, with a query of floats, in single precision: its error is at most
    /// <see cref="PreciseError"/> times the product of the norms.
    /// </summary>
    /// <param name="row">The codes of the row.</param>
    /// <param name="query">The query: zeros follow its values up to <paramref name="stride"/>.</param>
    /// <param name="stride">The number of floats of the query, a multiple of 16.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Precise(byte* row, float* query, int stride)
    {
        if (Avx512F.IsSupported)
        {
            Vector512<float> even = default, odd = default;
            var bias = Vector512.Create((int)ByteCodes.RowBias);
            nint i = 0;
            for (; i <= stride - 32; i += 32)
            {
                var low = Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.Load(row + i)) - bias);
                var high = Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.Load(row + i + 16)) - bias);
                even = Vector512.FusedMultiplyAdd(low, Vector512.Load(query + i), even);
                odd = Vector512.FusedMultiplyAdd(high, Vector512.Load(query + i + 16), odd);
            }

            if (i < stride)
            {
                var low = Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.Load(row + i)) - bias);
                even = Vector512.FusedMultiplyAdd(low, Vector512.Load(query + i), even);
            }

            return Vector512.Sum(even + odd);
        }

        return PrecisePortable(row, query, stride);
    }

    /// <summary>The same for other processors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static float PrecisePortable(byte* row, float* query, int stride)
    {
        Vector128<float> a = default, b = default, c = default, d = default;
        var bias = Vector128.Create((float)ByteCodes.RowBias);
        for (nint i = 0; i < stride; i += 16)
        {
            var (low, high) = Vector128.Widen(Vector128.Load(row + i));
            var (x0, x1) = Vector128.Widen(low);
            var (x2, x3) = Vector128.Widen(high);
            a = Vector128.FusedMultiplyAdd(Vector128.ConvertToSingle(x0.AsInt32()) - bias, Vector128.Load(query + i), a);
            b = Vector128.FusedMultiplyAdd(Vector128.ConvertToSingle(x1.AsInt32()) - bias, Vector128.Load(query + i + 4), b);
            c = Vector128.FusedMultiplyAdd(Vector128.ConvertToSingle(x2.AsInt32()) - bias, Vector128.Load(query + i + 8), c);
            d = Vector128.FusedMultiplyAdd(Vector128.ConvertToSingle(x3.AsInt32()) - bias, Vector128.Load(query + i + 12), d);
        }

        return Vector128.Sum(a + b + (c + d));
    }

    /// <summary>The relative error of <see cref="Precise"/>: one rounding for each addition in a lane, and those of the last sum.</summary>
    public static float PreciseError(int stride) => ((stride / 16) + 16) * MathF.ScaleB(1, -24);
}
