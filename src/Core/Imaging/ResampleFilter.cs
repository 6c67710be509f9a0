using System.Buffers;
using Embeddings.Core.Models;

namespace Embeddings.Core.Imaging;

/// <summary>
/// The weights of one axis: output number i is the sum of <see cref="Count"/> neighbours from <see cref="Start"/> on, each
/// times its weight. As in Pillow (Resample.c, precompute_coeffs), the filter is widened by the shrink factor, cut off at the
/// edges and scaled to sum 1.
/// </summary>
internal sealed class ResampleFilter : IDisposable
{
    private readonly float[] _weights;
    private readonly int[] _starts;
    private readonly int[] _counts;

    /// <param name="size">Pixels of the source along the axis.</param>
    /// <param name="from">Start of the image in the source, pixels.</param>
    /// <param name="extent">
    /// Pixels of the source, not always a whole number, that become <paramref name="target"/> pixels.
    /// </param>
    /// <param name="target">Pixels of the whole resized image.</param>
    /// <param name="first">The first output among them.</param>
    /// <param name="length">Number of outputs.</param>
    /// <param name="kind">The filter.</param>
    public ResampleFilter(int size, double from, double extent, int target, int first, int length, Interpolation kind)
    {
        var scale = extent / target;
        var widening = Math.Max(scale, 1);
        var support = (kind == Interpolation.Bicubic ? 2 : 1) * widening;
        Length = length;

        // Rounded up to whole vectors, the rest zero, so that a dot product needs no tail.
        Stride = ((int)Math.Min(Math.Ceiling(support) * 2 + 1, size) + 3) & ~3;
        _weights = ArrayPool<float>.Shared.Rent(Stride * length);
        _weights.AsSpan(0, Stride * length).Clear();
        _starts = ArrayPool<int>.Shared.Rent(length);
        _counts = ArrayPool<int>.Shared.Rent(length);
        First = int.MaxValue;
        for (var i = 0; i < length; i++)
        {
            var center = from + (first + i + 0.5) * scale;
            var start = Math.Clamp((int)(center - support + 0.5), 0, size - 1);
            var end = Math.Clamp((int)(center + support + 0.5), start + 1, size);
            var weights = _weights.AsSpan(i * Stride, Math.Min(end - start, Stride));
            Fill(weights, start - center + 0.5, widening, kind);
            _starts[i] = start;
            _counts[i] = weights.Length;
            First = Math.Min(First, start);
            Last = Math.Max(Last, start + weights.Length);
        }
    }

    /// <summary>Number of outputs.</summary>
    public int Length { get; }

    /// <summary>Floats from one output's weights to the next's: a multiple of four.</summary>
    public int Stride { get; }

    /// <summary>The first source pixel that has a weight.</summary>
    public int First { get; }

    /// <summary>One past the last source pixel that has a weight.</summary>
    public int Last { get; }

    public int Start(int output) => _starts[output];

    public int Count(int output) => _counts[output];

    /// <summary>All <see cref="Stride"/> weights of an output; those past <see cref="Count"/> are zero.</summary>
    public ReadOnlySpan<float> Weights(int output) => _weights.AsSpan(output * Stride, Stride);

    public void Dispose()
    {
        ArrayPool<float>.Shared.Return(_weights);
        ArrayPool<int>.Shared.Return(_starts);
        ArrayPool<int>.Shared.Return(_counts);
    }

    private static void Fill(Span<float> weights, double offset, double widening, Interpolation kind)
    {
        double sum = 0;
        for (var i = 0; i < weights.Length; i++)
        {
            var x = Math.Abs((offset + i) / widening);
            var weight = kind == Interpolation.Bicubic ? Cubic(x) : Math.Max(0, 1 - x);
            weights[i] = (float)weight;
            sum += weight;
        }
        if (sum == 0)
        {
            weights[0] = 1;
            return;
        }
        foreach (ref var weight in weights)
        {
            weight = (float)(weight / sum);
        }
    }

    // Keys' cubic convolution with a = -0.5.
    private static double Cubic(double x) => x switch
    {
        < 1 => (1.5 * x - 2.5) * x * x + 1,
        < 2 => ((-0.5 * x + 2.5) * x - 4) * x + 2,
        _ => 0,
    };
}
