using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Embeddings.Core.Models;

namespace Embeddings.Core.Imaging;

/// <summary>
/// Resizes as Pillow's <c>Image.resize</c> with antialias does, within rounding. One output row at a time: the source rows of
/// the output row are summed into a row of floats, since neighbouring bytes need no sorting that way, and that row is then
/// summed across. Only those source rows are needed at a time.
/// </summary>
internal static class Resampler
{
    /// <summary>
    /// Draws <paramref name="source"/> on a canvas of <paramref name="canvasWidth"/> x <paramref name="canvasHeight"/> pixels;
    /// the rest is black.
    /// </summary>
    public static void Draw<TRows>(
        TRows source, SourceBox box, Placement at, Interpolation kind, Span<byte> canvas, int canvasWidth, int canvasHeight)
        where TRows : IPixelRows, allows ref struct
    {
        var left = Math.Max(at.Left, 0);
        var top = Math.Max(at.Top, 0);
        var width = Math.Min(at.Left + at.Width, canvasWidth) - left;
        var height = Math.Min(at.Top + at.Height, canvasHeight) - top;
        var channels = source.Channels;
        if (width < canvasWidth || height < canvasHeight)
        {
            canvas.Clear();
        }
        using var across = new ResampleFilter(source.Width, box.Left, box.Width, at.Width, left - at.Left, width, kind);
        using var down = new ResampleFilter(source.Height, box.Top, box.Height, at.Height, top - at.Top, height, kind);

        // Only the columns in use; past them zeros, which the last vectors may read and multiply by zero.
        var columns = (across.Last - across.First) * channels;
        var sums = ArrayPool<float>.Shared.Rent(columns + across.Stride + 4);
        var row = ArrayPool<float>.Shared.Rent(width * channels + 4);
        try
        {
            sums.AsSpan(columns).Clear();
            for (var y = 0; y < height; y++)
            {
                var rows = source.Rows(down.Start(y), down.Count(y))[(across.First * channels)..];
                RowSum.Add(rows, source.Width * channels, down.Weights(y)[..down.Count(y)], sums.AsSpan(0, columns));
                if (channels == 3)
                {
                    AcrossColors(sums, across, row);
                }
                else
                {
                    AcrossGray(sums, across, row);
                }
                var target = canvas.Slice(((top + y) * canvasWidth + left) * channels, width * channels);
                Round(row.AsSpan(0, target.Length), target);
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(sums);
            ArrayPool<float>.Shared.Return(row);
        }
    }

    // A pixel's three floats and the next one's first make a vector; the fourth sum is discarded.
    private static void AcrossColors(ReadOnlySpan<float> sums, ResampleFilter filter, Span<float> row)
    {
        ref var to = ref MemoryMarshal.GetReference(row);
        for (var x = 0; x < filter.Length; x++)
        {
            var weights = filter.Weights(x)[..filter.Count(x)];
            ref var from = ref MemoryMarshal.GetReference(sums[((filter.Start(x) - filter.First) * 3)..]);
            var (even, odd) = (Vector128<float>.Zero, Vector128<float>.Zero);
            var k = 0;
            for (; k < weights.Length - 1; k += 2)
            {
                even += Vector128.LoadUnsafe(ref from, (nuint)(k * 3)) * weights[k];
                odd += Vector128.LoadUnsafe(ref from, (nuint)(k * 3 + 3)) * weights[k + 1];
            }
            if (k < weights.Length)
            {
                even += Vector128.LoadUnsafe(ref from, (nuint)(k * 3)) * weights[k];
            }
            (even + odd).StoreUnsafe(ref to, (nuint)(x * 3));
        }
    }

    private static void AcrossGray(ReadOnlySpan<float> sums, ResampleFilter filter, Span<float> row)
    {
        for (var x = 0; x < filter.Length; x++)
        {
            var weights = filter.Weights(x);
            var from = sums.Slice(filter.Start(x) - filter.First, weights.Length);
            var sum = Vector128<float>.Zero;
            for (var k = 0; k < weights.Length; k += 4)
            {
                sum += Vector128.Create(from[k..]) * Vector128.Create(weights[k..]);
            }
            row[x] = Vector128.Sum(sum);
        }
    }

    private static void Round(ReadOnlySpan<float> from, Span<byte> to)
    {
        var i = 0;
        for (; i <= from.Length - 16; i += 16)
        {
            var low = Vector128.Narrow(Whole(from[i..]), Whole(from[(i + 4)..]));
            var high = Vector128.Narrow(Whole(from[(i + 8)..]), Whole(from[(i + 12)..]));
            Vector128.Narrow(low, high).CopyTo(to[i..]);
        }
        for (; i < from.Length; i++)
        {
            to[i] = (byte)(Math.Clamp(from[i], 0, 255) + 0.5f);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Whole(ReadOnlySpan<float> from)
    {
        var clamped = Vector128.Min(Vector128.Max(Vector128.Create(from), Vector128<float>.Zero), Vector128.Create(255f));
        return Vector128.ConvertToInt32(clamped + Vector128.Create(0.5f)).AsUInt32();
    }
}
