namespace Embeddings.Cli.Charts;

/// <summary>Two sets of cosines counted into the same bins, each as shares of its own set: there are always far more different pairs than same ones.</summary>
internal sealed class Histogram
{
    public Histogram(IReadOnlyList<float> same, IReadOnlyList<float> different, int bins)
    {
        // A tenth at each end, so that a scale has round numbers.
        High = Math.Ceiling(Math.Min(1, Math.Max(same.Max(), different.Max())) * 10) / 10;
        Low = Math.Min(High - 0.1, Math.Floor(Math.Max(-1, Math.Min(same.Min(), different.Min())) * 10) / 10);
        Same = Count(same, bins);
        Different = Count(different, bins);
        Highest = Math.Max(Same.Max(), Different.Max());
    }

    /// <summary>Cosine at the left end.</summary>
    public double Low { get; }

    /// <summary>Cosine at the right end.</summary>
    public double High { get; }

    /// <summary>Share of the same pairs in each bin, 0 to 1.</summary>
    public IReadOnlyList<double> Same { get; }

    /// <summary>Share of the different pairs in each bin, 0 to 1.</summary>
    public IReadOnlyList<double> Different { get; }

    /// <summary>The largest share of either.</summary>
    public double Highest { get; }

    /// <summary>Where a cosine is between the ends, 0 to 1.</summary>
    public double At(double cosine) => Math.Clamp((cosine - Low) / (High - Low), 0, 1);

    private double[] Count(IReadOnlyList<float> cosines, int bins)
    {
        var counts = new double[bins];
        foreach (var cosine in cosines)
        {
            counts[Math.Min(bins - 1, (int)(At(cosine) * bins))] += 1.0 / cosines.Count;
        }
        return counts;
    }
}
