namespace Embeddings.Tooling.Models.Checking;

/// <summary>Separation of the cosines of same pairs from those of different pairs.</summary>
/// <param name="EqualErrorRate">
/// Error rate at the threshold where false accepts and false rejects are equally frequent; 0 is best.
/// </param>
/// <param name="Threshold">Cosine threshold of the highest balanced accuracy.</param>
/// <param name="BalancedAccuracy">Mean of the accuracies on same and on different pairs, 0 to 1.</param>
/// <param name="Distance">Distance of the means in standard deviations (d-prime).</param>
internal sealed record Separation(double EqualErrorRate, double Threshold, double BalancedAccuracy, double Distance)
{
    /// <summary>Computes the separation. Each list has at least one cosine.</summary>
    public static Separation Of(IReadOnlyList<float> same, IReadOnlyList<float> different)
    {
        var (s, d) = (same.Order().ToArray(), different.Order().ToArray());
        var cuts = s.Concat(d).Distinct().Order().ToArray();
        var best = double.MinValue;
        var threshold = 0.0;
        var missed = 0;
        var taken = 0;
        var closest = double.MaxValue;
        var rate = 1.0;
        for (var i = 0; i <= cuts.Length; i++)
        {
            // Pairs below the cut count as different.
            while (i > 0 && missed < s.Length && s[missed] <= cuts[i - 1])
            {
                missed++;
            }
            while (i > 0 && taken < d.Length && d[taken] <= cuts[i - 1])
            {
                taken++;
            }
            var miss = missed / (double)s.Length;
            var alarm = (d.Length - taken) / (double)d.Length;
            // Halfway to the next cosine, so that no pair equals the threshold.
            var below = i == 0 ? cuts[0] - 2e-6 : cuts[i - 1];
            var above = i == cuts.Length ? cuts[^1] + 2e-6 : cuts[i];
            if (1 - ((miss + alarm) / 2) > best)
            {
                best = 1 - ((miss + alarm) / 2);
                threshold = (below + above) / 2;
            }
            if (Math.Abs(miss - alarm) < closest)
            {
                closest = Math.Abs(miss - alarm);
                rate = (miss + alarm) / 2;
            }
        }
        var meanS = s.Average(v => (double)v);
        var meanD = d.Average(v => (double)v);
        var spread = Math.Sqrt((s.Average(v => (v - meanS) * (v - meanS)) + d.Average(v => (v - meanD) * (v - meanD))) / 2);
        return new(rate, threshold, best, spread > 0 ? (meanS - meanD) / spread : 0);
    }
}
