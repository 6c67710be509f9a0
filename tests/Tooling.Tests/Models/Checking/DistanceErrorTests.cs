using Embeddings.Primitives.Numerics;
using Embeddings.Tooling.Models.Checking;

namespace Embeddings.Tooling.Tests.Models.Checking;

public sealed class DistanceErrorTests
{
    private static readonly string[] Labels = [.. Enumerable.Range(0, 24).Select(i => $"subject {i / 3}")];

    [Fact]
    public void Equal_vectors_differ_without_error()
    {
        var vectors = Vectors(1, 0.8);
        Assert.Equal(0, DistanceError.Of(Labels, vectors, vectors));
    }

    [Fact]
    public void One_subject_with_several_images_is_too_few()
    {
        string[] labels = ["a", "a", "b", "c"];
        Assert.Equal(double.PositiveInfinity, DistanceError.Of(labels, Vectors(1, 0.8)[..4], Vectors(2, 0.8)[..4]));
    }

    [Fact]
    public void The_error_is_about_the_spread_of_differences_without_a_cause()
    {
        var (differences, errors) = (new List<double>(), new List<double>());
        for (var seed = 0; seed < 60; seed++)
        {
            var (first, second) = (Vectors(2 * seed, 0.8), Vectors((2 * seed) + 1, 0.8));
            differences.Add(Distance(second) - Distance(first));
            errors.Add(DistanceError.Of(Labels, first, second));
        }
        var spread = Math.Sqrt(differences.Average(value => value * value));
        Assert.InRange(errors.Average() / spread, 0.7, 1.8);

        // What a margin alone takes for a wrong color order, and what is left.
        var margin = differences.Count(value => value > CheckReport.SwapMargin);
        var needed = differences.Zip(errors).Count(pair => pair.First > Math.Max(CheckReport.SwapMargin, CheckReport.SwapErrors * pair.Second));
        Assert.True(needed <= 8 && needed < margin, $"{needed} of {margin}");
    }

    [Fact]
    public void A_real_advantage_exceeds_the_error()
    {
        var (noisy, clear) = (Vectors(3, 1.4), Vectors(4, 0.6));
        Assert.True(Distance(clear) - Distance(noisy) > CheckReport.SwapErrors * DistanceError.Of(Labels, noisy, clear));
    }

    private static double Distance(List<float[]> vectors)
    {
        List<float> same = [], different = [];
        for (var i = 0; i < vectors.Count; i++)
        {
            for (var j = i + 1; j < vectors.Count; j++)
            {
                (Labels[i] == Labels[j] ? same : different).Add(VectorMath.CosineSimilarity(vectors[i], vectors[j]));
            }
        }
        return Separation.Of(same, different).Distance;
    }

    // Three images of each subject: a random direction, and noise.
    private static List<float[]> Vectors(int seed, double noise)
    {
        var random = new Random(seed);
        var subjects = Enumerable.Range(0, Labels.Length / 3).Select(_ => Normal(random)).ToList();
        return [.. Labels.Select((_, i) => subjects[i / 3].Zip(Normal(random), (a, b) => (float)(a + (noise * b))).ToArray())];
    }

    private static double[] Normal(Random random) =>
        [.. Enumerable.Range(0, 32).Select(_ => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()))];
}
