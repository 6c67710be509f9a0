namespace Embeddings.Benchmarks.Measuring;

/// <summary>The middle of several measurements and how far they lie apart.</summary>
/// <param name="Median">Half of them are below.</param>
/// <param name="Low">A quarter of them is below.</param>
/// <param name="High">A quarter of them is above.</param>
internal readonly record struct Spread(double Median, double Low, double High)
{
    public static Spread Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return new(At(sorted, 0.5), At(sorted, 0.25), At(sorted, 0.75));
    }

    public static double MedianOf(IEnumerable<double> values) => Of(values).Median;

    /// <summary>The value below which this part of the sorted values lies, between neighbours in a straight line.</summary>
    public static double At(ReadOnlySpan<double> sorted, double part)
    {
        if (sorted.IsEmpty)
        {
            return double.NaN;
        }
        var position = part * (sorted.Length - 1);
        var below = (int)position;
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((sorted[above] - sorted[below]) * (position - below));
    }
}
