namespace Embeddings.Storage;

/// <summary>
/// Scores as the contract defines them: cosine similarities from -1 to 1, rounded to multiples of 2^-20. The step is above
/// the rounding errors of single precision, so that equal directions have equal scores, and an exact twin has the score 1.
/// </summary>
internal static class Score
{
    /// <summary>The distance between two scores that differ, about 1e-6.</summary>
    public const float Step = 1f / (1 << 20);

    /// <summary>Returns the score of a cosine similarity; errors of rounding may have moved it out of its range.</summary>
    public static float Of(double cosine) =>
        (float)(Math.Round(Math.Clamp(cosine, -1, 1) / Step, MidpointRounding.AwayFromZero) * Step);

    /// <summary>Returns a bound below all cosine similarities whose score is at least the given one.</summary>
    public static float Least(float score) => score - Step;
}
