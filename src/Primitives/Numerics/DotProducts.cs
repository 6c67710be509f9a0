using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Embeddings.Primitives.Numerics;

/// <summary>
/// Dot products of many rows with many queries. Rows and queries are zero-padded to <see cref="Stride"/> floats and
/// aligned to 64 bytes.
/// </summary>
/// <remarks>
/// Each pair of row and query has one accumulator and the same order of additions in every tile, so equal vectors have
/// bitwise equal scores at any position. Without that, ties could not be distinguished from near-ties.
/// </remarks>
internal static unsafe class DotProducts
{
    /// <summary>Number of rows in a tile.</summary>
    public const int TileRows = 4;

    /// <summary>Number of floats in a 64-byte register; vectors are padded to a multiple of it.</summary>
    private const int RegisterFloats = 16;

    /// <summary>Number of floats from one row to the next for vectors of this dimension.</summary>
    public static int Stride(int dimension) => checked(dimension + RegisterFloats - 1) / RegisterFloats * RegisterFloats;

    /// <summary>Writes <c>scores[q * rows.Length + r]</c> for every query <c>q</c> and row <c>r</c>.</summary>
    /// <param name="rows">The addresses of the rows.</param>
    /// <param name="queries">The queries, contiguous, <paramref name="stride"/> floats each.</param>
    /// <param name="queryCount">The number of queries.</param>
    /// <param name="stride">The number of floats in a row, from <see cref="Stride"/>.</param>
    /// <param name="scores">The output: at least rows times queries floats.</param>
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

    /// <summary>The same with the given tiles, so that tests cover tiles that this machine would not select.</summary>
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
                    // The last tile repeats its last row: cheaper than a second kernel, with the same order of
                    // additions.
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
