using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Embeddings.Primitives.Numerics;

/// <summary>
/// Dot products of many rows with many queries. Rows and queries are zero-padded to <see cref="Stride"/> floats and lie at multiples of 64 bytes.
/// </summary>
/// <remarks>
/// Each pair of row and query has one accumulator and the same order of additions whatever tile computes it, so equal vectors have equal scores to the
/// last bit wherever they lie: without that, ties could not be told from near-ties.
/// </remarks>
internal static unsafe class DotProducts
{
    /// <summary>Rows in a tile.</summary>
    public const int TileRows = 4;

    /// <summary>Floats a vector is padded to a multiple of: a 64-byte register.</summary>
    private const int Lanes = 16;

    /// <summary>Floats from one row to the next for vectors of <paramref name="dimension"/> numbers.</summary>
    public static int Stride(int dimension) => checked(dimension + Lanes - 1) / Lanes * Lanes;

    /// <summary>Writes <c>scores[q * rows.Length + r]</c> for every query <c>q</c> and row <c>r</c>.</summary>
    /// <param name="rows">Addresses of the rows.</param>
    /// <param name="queries">The queries, one after the other, <paramref name="stride"/> floats each.</param>
    /// <param name="queryCount">How many queries.</param>
    /// <param name="stride">Floats in a row, from <see cref="Stride"/>.</param>
    /// <param name="scores">At least rows times queries floats.</param>
    public static void Compute(ReadOnlySpan<nint> rows, float* queries, int queryCount, int stride, Span<float> scores)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Compute(rows, queries, queryCount, stride, scores, 4, &DotTile512.FourByFour, &DotTile512.RowsByOne);
        }
        else
        {
            Compute(rows, queries, queryCount, stride, scores, 2, &DotTile256.FourByTwo, &DotTile256.RowsByOne);
        }
    }

    /// <summary>The same with chosen tiles, so that tests reach those this machine would not take.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Compute(
        ReadOnlySpan<nint> rows,
        float* queries,
        int queryCount,
        int stride,
        Span<float> scores,
        int tileQueries,
        delegate*<nint*, float*, int, float*, void> wide,
        delegate*<nint*, int, float*, int, float*, void> narrow)
    {
        if (rows.IsEmpty || queryCount == 0)
        {
            return;
        }

        _ = scores[(rows.Length * queryCount) - 1];
        var tile = stackalloc float[TileRows * 4];
        var four = stackalloc nint[TileRows];
        fixed (nint* addresses = rows)
        fixed (float* output = scores)
        {
            var q = 0;
            for (; q <= queryCount - tileQueries; q += tileQueries)
            {
                for (var r = 0; r < rows.Length; r += TileRows)
                {
                    // The last tile repeats its last row: cheaper than a second kernel, and the same order of additions.
                    var count = Math.Min(TileRows, rows.Length - r);
                    for (var i = 0; i < TileRows; i++)
                    {
                        four[i] = addresses[r + Math.Min(i, count - 1)];
                    }

                    wide(four, queries + ((nint)q * stride), stride, tile);
                    for (var i = 0; i < tileQueries * TileRows; i++)
                    {
                        if (i % TileRows < count)
                        {
                            output[((q + (i / TileRows)) * rows.Length) + r + (i % TileRows)] = tile[i];
                        }
                    }
                }
            }

            for (; q < queryCount; q++)
            {
                narrow(addresses, rows.Length, queries + ((nint)q * stride), stride, output + (q * rows.Length));
            }
        }
    }
}
