namespace Embeddings.Tooling.Models.Checking;

/// <summary>Results of a model on labelled images.</summary>
/// <param name="Images">Number of embedded images.</param>
/// <param name="Labels">Number of subjects.</param>
/// <param name="Skipped">Images that could not be embedded, each with the reason.</param>
/// <param name="Same">Cosines of the pairs of one subject.</param>
/// <param name="Different">Cosines of the pairs of two subjects.</param>
/// <param name="Separation">Separation of the two.</param>
/// <param name="Rank1">
/// Share of images whose nearest other image shows the same subject, among subjects with several images, 0 to 1.
/// </param>
/// <param name="Swapped">Separation with red and blue swapped.</param>
/// <param name="SwapError">
/// Standard error of the difference between the two distances; infinity if there are too few subjects to estimate it.
/// </param>
/// <param name="BatchCosine">
/// Lowest cosine between the vector of an image in a batch and its vector alone; 1 is equal.
/// </param>
internal sealed record CheckReport(
    int Images,
    int Labels,
    IReadOnlyList<string> Skipped,
    IReadOnlyList<float> Same,
    IReadOnlyList<float> Different,
    Separation Separation,
    double Rank1,
    Separation Swapped,
    double SwapError,
    double BatchCosine)
{
    /// <summary>
    /// Standard deviations by which the swapped order must separate better to count. With the correct order, swapping
    /// costs 0.1 (objects) to 1.4 (faces), so a smaller difference is noise.
    /// </summary>
    public const double SwapMargin = 0.25;

    /// <summary>Standard errors by which it must separate better: less than that is noise in one of 15 checks.</summary>
    public const double SwapErrors = 1.5;

    /// <summary>Standard deviations by which the swapped order must separate better in this check.</summary>
    public double NeededAdvantage => Math.Max(SwapMargin, SwapErrors * SwapError);

    /// <summary>Share of the pairs of different subjects, 0 to 1, whose cosine is a threshold or above.</summary>
    public double FalseMatchRate(float threshold) => Different.Count(cosine => cosine >= threshold) / (double)Different.Count;

    /// <summary>True if the color order of the manifest is likely wrong.</summary>
    public bool SwappedIsBetter =>
        Swapped.EqualErrorRate <= Separation.EqualErrorRate && Swapped.Distance > Separation.Distance + NeededAdvantage;
}
