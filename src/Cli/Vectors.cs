using System.Globalization;

namespace Embeddings.Cli;

/// <summary>What the command says of vectors. In double, so that what is printed is the vector's own norm and not the sum's rounding.</summary>
internal static class Vectors
{
    public static double Norm(IEnumerable<float> values) => Math.Sqrt(values.Sum(value => (double)value * value));

    public static double Cosine(IReadOnlyList<float> left, IReadOnlyList<float> right) =>
        left.Zip(right, (a, b) => (double)a * b).Sum() / (Norm(left) * Norm(right));

    /// <summary>The first values: <c>[0.1234, -0.0456, ...]</c>.</summary>
    public static string Beginning(IReadOnlyCollection<float> values, int count)
    {
        var shown = string.Join(", ", values.Take(count).Select(value => value.ToString("0.0000", CultureInfo.InvariantCulture)));
        return values.Count > count ? $"[{shown}, ...]" : $"[{shown}]";
    }
}
