namespace Embeddings.Server.Grpc;

/// <summary>Combines the examples of a query to one vector, in double precision and the same for all stores.</summary>
internal static class ExampleVectors
{
    // Directions have an error of 1e-7 per value in single precision: a shorter difference has no meaning.
    private const double Least = 1e-6;

    /// <summary>
    /// Returns unit(mean(positive)) - unit(mean(negative)), where each example has unit length; null if the examples cancel
    /// each other out.
    /// </summary>
    /// <param name="positive">The positive examples, at least one, none of them zero, all of one dimension.</param>
    /// <param name="negative">The negative examples, or none.</param>
    public static float[]? Combine(
        IReadOnlyList<ReadOnlyMemory<float>> positive, IReadOnlyList<ReadOnlyMemory<float>> negative)
    {
        var combined = Direction(positive);
        if (combined is not null && negative.Count > 0)
        {
            combined = Direction(negative) is { } other ? [.. combined.Zip(other, (plus, minus) => plus - minus)] : null;
        }
        return combined is null || Norm(combined) < Least ? null : Array.ConvertAll(combined, value => (float)value);
    }

    private static double[]? Direction(IReadOnlyList<ReadOnlyMemory<float>> examples)
    {
        var sum = new double[examples[0].Length];
        foreach (var example in examples)
        {
            var values = Array.ConvertAll(example.ToArray(), value => (double)value);
            var norm = Norm(values);
            for (var i = 0; i < sum.Length; i++)
            {
                sum[i] += values[i] / norm;
            }
        }
        var length = Norm(sum);
        // The mean, whose length is that of the sum over the number of examples.
        return length / examples.Count < Least ? null : Array.ConvertAll(sum, value => value / length);
    }

    private static double Norm(double[] values) => Math.Sqrt(values.Sum(value => value * value));
}
