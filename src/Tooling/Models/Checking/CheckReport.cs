namespace Embeddings.Tooling.Models.Checking;

/// <summary>What a model did on labelled pictures.</summary>
/// <param name="Pictures">How many were embedded.</param>
/// <param name="Labels">Of how many people.</param>
/// <param name="Skipped">Pictures that could not be embedded, each with its reason.</param>
/// <param name="Same">Cosines of pairs of one person.</param>
/// <param name="Different">Cosines of pairs of two people.</param>
/// <param name="Separation">How well those are apart.</param>
/// <param name="Rank1">Share of pictures whose nearest other picture is of the same person, among those of whom there is another, 0 to 1.</param>
/// <param name="Swapped">The separation with red and blue swapped.</param>
/// <param name="BatchCosine">Lowest cosine of a picture's vector from a batch to its vector alone; 1 is equal.</param>
internal sealed record CheckReport(
    int Pictures, int Labels, IReadOnlyList<string> Skipped, IReadOnlyList<float> Same, IReadOnlyList<float> Different, Separation Separation, double Rank1,
    Separation Swapped, double BatchCosine)
{
    /// <summary>
    /// How many standard deviations better the swapped order must separate. With the right order swapping costs 0.1 (objects) to 1.4 (faces) of them, so a
    /// smaller difference is noise.
    /// </summary>
    public const double SwapMargin = 0.25;

    /// <summary>Whether the manifest's colour order is likely the wrong one.</summary>
    public bool SwappedIsBetter => Swapped.EqualErrorRate <= Separation.EqualErrorRate && Swapped.Distance > Separation.Distance + SwapMargin;
}
