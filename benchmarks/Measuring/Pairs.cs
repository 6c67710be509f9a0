namespace Embeddings.Benchmarks.Measuring;

/// <summary>
/// Two things measured in turn, A, B, A, B: what else the machine does falls on both, and each pair's ratio holds although neither figure does.
/// </summary>
/// <param name="Ours">Each turn's figure.</param>
/// <param name="Reference">Each turn's figure, as many.</param>
internal sealed record Pairs(IReadOnlyList<double> Ours, IReadOnlyList<double> Reference)
{
    public int Count => Ours.Count;

    public Spread Ratio => Spread.Of(Ours.Zip(Reference, static (ours, reference) => ours / reference));

    public Spread Difference => Spread.Of(Ours.Zip(Reference, static (ours, reference) => ours - reference));

    /// <summary>One turn of each to warm up, then the pairs.</summary>
    public static async Task<Pairs> MeasureAsync(int count, Func<Task<double>> ours, Func<Task<double>> reference)
    {
        await ours();
        await reference();
        var (left, right) = (new double[count], new double[count]);
        for (var i = 0; i < count; i++)
        {
            left[i] = await ours();
            right[i] = await reference();
        }
        return new(left, right);
    }

    /// <inheritdoc cref="MeasureAsync"/>
    public static Task<Pairs> MeasureAsync(int count, Func<double> ours, Func<double> reference) =>
        MeasureAsync(count, () => Task.FromResult(ours()), () => Task.FromResult(reference()));
}
