using Embeddings.Primitives.Numerics;

namespace Embeddings.Tooling.Models.Checking;

/// <summary>
/// Standard error of the difference between the distances of two sets of vectors of the same images
/// (<see cref="Separation.Distance"/>), by the jackknife over subjects: the pairs of one subject are not independent of each
/// other, so that images are not left out one by one.
/// </summary>
internal static class DistanceError
{
    /// <summary>
    /// Returns the standard error, or infinity if it cannot be estimated, since without one of the subjects there are no pairs to
    /// compare.
    /// </summary>
    /// <param name="labels">The subject of each image.</param>
    /// <param name="first">Vectors of the images.</param>
    /// <param name="second">Other vectors of the images.</param>
    public static double Of(IReadOnlyList<string> labels, IReadOnlyList<float[]> first, IReadOnlyList<float[]> second)
    {
        var numbers = labels.Distinct().Index().ToDictionary(label => label.Item, label => label.Index);
        var subjects = labels.Select(label => numbers[label]).ToArray();
        var all = new Sums[2];
        var own = new Sums[numbers.Count, 2];
        for (var i = 0; i < labels.Count; i++)
        {
            for (var j = i + 1; j < labels.Count; j++)
            {
                var isSame = subjects[i] == subjects[j];
                for (var set = 0; set < 2; set++)
                {
                    var vectors = set == 0 ? first : second;
                    double cosine = VectorMath.CosineSimilarity(vectors[i], vectors[j]);
                    all[set].Add(isSame, cosine);
                    own[subjects[i], set].Add(isSame, cosine);
                    if (!isSame)
                    {
                        own[subjects[j], set].Add(isSame, cosine);
                    }
                }
            }
        }
        var differences = Enumerable.Range(0, numbers.Count)
            .Select(subject => all[1].Without(own[subject, 1]).Distance - all[0].Without(own[subject, 0]).Distance)
            .ToList();
        var count = differences.Count;
        var mean = differences.Average();
        var error = Math.Sqrt((count - 1.0) / count * differences.Sum(value => (value - mean) * (value - mean)));
        return double.IsFinite(error) ? error : double.PositiveInfinity;
    }

    /// <summary>Sums over the cosines of same and of different pairs.</summary>
    private struct Sums
    {
        private Moments _same;
        private Moments _different;

        /// <summary>Distance of the means in standard deviations; NaN without pairs of both kinds.</summary>
        public readonly double Distance =>
            (_same.Mean - _different.Mean) / Math.Sqrt((_same.Variance + _different.Variance) / 2);

        public void Add(bool isSame, double cosine)
        {
            if (isSame)
            {
                _same.Add(cosine);
            }
            else
            {
                _different.Add(cosine);
            }
        }

        public readonly Sums Without(Sums other) =>
            new() { _same = _same.Without(other._same), _different = _different.Without(other._different) };
    }

    private struct Moments
    {
        private double _count;
        private double _sum;
        private double _squares;

        public readonly double Mean => _sum / _count;

        public readonly double Variance => (_squares / _count) - (Mean * Mean);

        public void Add(double value)
        {
            _count++;
            _sum += value;
            _squares += value * value;
        }

        public readonly Moments Without(Moments other) =>
            new() { _count = _count - other._count, _sum = _sum - other._sum, _squares = _squares - other._squares };
    }
}
