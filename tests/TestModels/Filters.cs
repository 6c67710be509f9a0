namespace Embeddings.TestModels;

/// <summary>
/// Small convolution kernels, row-major. Weights are rounded to multiples of 2^-16, because math libraries differ in the
/// last bit of a sine and the bytes of the models must not.
/// </summary>
public static class Filters
{
    private const double Grid = 65536;

    /// <summary>Rounds a weight to a multiple of 2^-16.</summary>
    public static float Round(double weight) => (float)(Math.Round(weight * Grid) / Grid);

    /// <summary>Returns a Gaussian window whose weights sum to 1.</summary>
    public static float[] Gaussian(int height, int width, double sigmaY, double sigmaX)
    {
        var weights = Sample(height, width, (x, y) => Math.Exp(-(((x * x) / (sigmaX * sigmaX)) + ((y * y) / (sigmaY * sigmaY))) / 2));
        var sum = weights.Sum();
        return Rounded(weights, 1 / sum);
    }

    /// <summary>
    /// Returns derivatives of a Gaussian in evenly spaced directions of the full circle: 1 for a ramp of 1 per pixel.
    /// </summary>
    public static float[] Gradients(int size, double sigma, int directions)
    {
        var kernels = new List<float>();
        for (var d = 0; d < directions; d++)
        {
            var (sin, cos) = Math.SinCos(2 * Math.PI * d / directions);
            var weights = Sample(size, size, (x, y) => ((x * cos) + (y * sin)) * Math.Exp(-((x * x) + (y * y)) / (2 * sigma * sigma)));
            var ramp = Sample(size, size, (x, y) => (x * cos) + (y * sin));
            kernels.AddRange(Rounded(weights, 1 / weights.Zip(ramp, (w, r) => w * r).Sum()));
        }
        return [.. kernels];
    }

    /// <summary>
    /// Returns Gabor filters in evenly spaced orientations of the half circle, each with zero mean and L2 norm 1.
    /// <paramref name="phase"/> 0 gives the even ones (bars), pi / 2 the odd ones (edges).
    /// </summary>
    public static float[] Gabors(int size, double sigma, double wavelength, int orientations, double phase)
    {
        var kernels = new List<float>();
        for (var o = 0; o < orientations; o++)
        {
            var (sin, cos) = Math.SinCos(Math.PI * o / orientations);
            var envelope = Sample(size, size, (x, y) => Math.Exp(-((x * x) + (y * y)) / (2 * sigma * sigma)));
            var carrier = Sample(size, size, (x, y) => Math.Cos((2 * Math.PI * ((x * cos) + (y * sin)) / wavelength) + phase));
            var mean = envelope.Zip(carrier, (e, c) => e * c).Sum() / envelope.Sum();
            var weights = envelope.Zip(carrier, (e, c) => e * (c - mean)).ToArray();
            kernels.AddRange(Rounded(weights, 1 / Math.Sqrt(weights.Sum(w => w * w))));
        }
        return [.. kernels];
    }

    /// <summary>Repeats a kernel for several channels.</summary>
    public static float[] Repeat(float[] kernel, int channels) =>
        [.. Enumerable.Repeat(kernel, channels).SelectMany(k => k)];

    private static double[] Sample(int height, int width, Func<double, double, double> at)
    {
        var values = new double[height * width];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = at((i % width) - ((width - 1) / 2.0), (i / width) - ((height - 1) / 2.0));
        }
        return values;
    }

    private static float[] Rounded(double[] weights, double scale) => [.. weights.Select(w => Round(w * scale))];
}
