namespace Embeddings.Tooling.Charts;

/// <summary>
/// Cosines of same and of different pairs, counted in the same bins. Counts are shares of their own set, because there
/// are far more different pairs than same ones.
/// </summary>
internal sealed class CosineHistogram
{
    public CosineHistogram(IReadOnlyList<float> same, IReadOnlyList<float> different, int bins)
    {
        // The ends are tenths, so that the axis has round numbers.
        High = Math.Ceiling(Math.Min(1, Math.Max(same.Max(), different.Max())) * 10) / 10;
        Low = Math.Min(High - 0.1, Math.Floor(Math.Max(-1, Math.Min(same.Min(), different.Min())) * 10) / 10);
        Same = Count(same, bins);
        Different = Count(different, bins);
    }

    /// <summary>Cosine at the left end.</summary>
    public double Low { get; }

    /// <summary>Cosine at the right end.</summary>
    public double High { get; }

    /// <summary>Share of the same pairs in each bin, 0 to 1.</summary>
    public IReadOnlyList<double> Same { get; }

    /// <summary>Share of the different pairs in each bin, 0 to 1.</summary>
    public IReadOnlyList<double> Different { get; }

    /// <summary>Returns the position of a cosine between the ends, 0 to 1.</summary>
    public double At(double cosine) => Math.Clamp((cosine - Low) / (High - Low), 0, 1);

    private double[] Count(IReadOnlyList<float> cosines, int bins)
    {
        var shares = new double[bins];
        foreach (var cosine in cosines)
        {
            shares[Math.Min(bins - 1, (int)(At(cosine) * bins))] += 1.0 / cosines.Count;
        }
        return shares;
    }
}
