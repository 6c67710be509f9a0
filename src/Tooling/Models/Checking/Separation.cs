namespace Embeddings.Tooling.Models.Checking;

/// <summary>How well cosines of pairs of the same tell them from pairs of different ones.</summary>
/// <param name="EqualErrorRate">Where as many same pairs are missed as different ones are taken for the same, 0 to 0.5 or worse.</param>
/// <param name="Threshold">Cosine from which a pair is best called the same: the highest rate of right answers over both sorts, each counted alike.</param>
/// <param name="BalancedAccuracy">That rate, 0 to 1.</param>
/// <param name="Distance">Between the means, in standard deviations (d-prime).</param>
internal sealed record Separation(double EqualErrorRate, double Threshold, double BalancedAccuracy, double Distance)
{
    /// <summary>Both sorts have one pair at least.</summary>
    public static Separation Of(IReadOnlyList<float> same, IReadOnlyList<float> different)
    {
        var (s, d) = (same.Order().ToArray(), different.Order().ToArray());
        var cuts = s.Concat(d).Distinct().Order().ToArray();
        var (best, threshold, missed, taken) = (double.MinValue, 0.0, 0, 0);
        var (closest, rate) = (double.MaxValue, 1.0);
        for (var i = 0; i <= cuts.Length; i++)
        {
            // Pairs below the cut are called different: advance over those.
            while (i > 0 && missed < s.Length && s[missed] <= cuts[i - 1])
            {
                missed++;
            }
            while (i > 0 && taken < d.Length && d[taken] <= cuts[i - 1])
            {
                taken++;
            }
            var (miss, alarm) = (missed / (double)s.Length, (d.Length - taken) / (double)d.Length);
            // Halfway to the next cosine seen: no pair lies on the border.
            var at = i == 0 ? cuts[0] - 1e-6 : i == cuts.Length ? cuts[^1] + 1e-6 : ((double)cuts[i - 1] + cuts[i]) / 2;
            if (1 - ((miss + alarm) / 2) > best)
            {
                (best, threshold) = (1 - ((miss + alarm) / 2), at);
            }
            if (Math.Abs(miss - alarm) < closest)
            {
                (closest, rate) = (Math.Abs(miss - alarm), (miss + alarm) / 2);
            }
        }
        var (meanS, meanD) = (s.Average(v => (double)v), d.Average(v => (double)v));
        var spread = Math.Sqrt((s.Average(v => (v - meanS) * (v - meanS)) + d.Average(v => (v - meanD) * (v - meanD))) / 2);
        return new(rate, threshold, best, spread > 0 ? (meanS - meanD) / spread : 0);
    }
}
