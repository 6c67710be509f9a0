using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Imaging;

/// <summary>Pillow's Image.resize as its documentation and Resample.c describe it, in doubles and without any haste.</summary>
internal static class PillowReference
{
    public static byte[] Resize(byte[] pixels, int width, int height, int channels, int toWidth, int toHeight, Interpolation kind)
    {
        var across = new byte[toWidth * height * channels];
        for (var x = 0; x < toWidth; x++)
        {
            var (start, weights) = Weights(width, toWidth, x, kind);
            for (var y = 0; y < height; y++)
            {
                for (var c = 0; c < channels; c++)
                {
                    across[(y * toWidth + x) * channels + c] = Round(Sum(weights, pixels, (y * width + start) * channels + c, channels));
                }
            }
        }
        var result = new byte[toWidth * toHeight * channels];
        for (var y = 0; y < toHeight; y++)
        {
            var (start, weights) = Weights(height, toHeight, y, kind);
            for (var i = 0; i < toWidth * channels; i++)
            {
                result[y * toWidth * channels + i] = Round(Sum(weights, across, start * toWidth * channels + i, toWidth * channels));
            }
        }
        return result;
    }

    private static double Sum(double[] weights, byte[] values, int at, int step)
    {
        double sum = 0;
        foreach (var weight in weights)
        {
            sum += weight * values[at];
            at += step;
        }
        return sum;
    }

    private static (int Start, double[] Weights) Weights(int size, int target, int output, Interpolation kind)
    {
        var scale = (double)size / target;
        var widening = Math.Max(scale, 1);
        var support = (kind == Interpolation.Bicubic ? 2 : 1) * widening;
        var center = (output + 0.5) * scale;
        var start = Math.Max((int)(center - support + 0.5), 0);
        var end = Math.Min((int)(center + support + 0.5), size);
        var weights = Enumerable.Range(start, end - start).Select(i => Kernel((i - center + 0.5) / widening, kind)).ToArray();
        var sum = weights.Sum();
        return (start, [.. weights.Select(w => w / sum)]);
    }

    private static double Kernel(double x, Interpolation kind)
    {
        x = Math.Abs(x);
        if (kind == Interpolation.Bilinear)
        {
            return x < 1 ? 1 - x : 0;
        }
        const double A = -0.5;
        return x < 1 ? ((A + 2) * x - (A + 3)) * x * x + 1
            : x < 2 ? (((x - 5) * x + 8) * x - 4) * A
            : 0;
    }

    private static byte Round(double value) => (byte)Math.Clamp(Math.Floor(value + 0.5), 0, 255);
}
