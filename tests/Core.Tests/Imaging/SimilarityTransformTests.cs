using System.Numerics;
using Embeddings.Core.Imaging;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Imaging;

public sealed class SimilarityTransformTests
{
    private static readonly Vector2[] Points = [new(3, 4), new(20, 5), new(11, 14), new(5, 25), new(18, 24)];

    [Theory]
    [InlineData(1, 0, 0, 0)]
    [InlineData(0.3, 0.2, 100, -7)]
    [InlineData(-2, 0.5, 3, 4)]
    [InlineData(0, -0.01, 5000, 6000)]
    public void Finds_the_transform_that_made_the_points(double a, double b, double x, double y)
    {
        var truth = new SimilarityTransform(a, b, x, y);
        var found = SimilarityTransform.Estimate(Points, [.. Points.Select(p => Apply(truth, p))]);
        Assert.Equal(a, found.A, 1e-4);
        Assert.Equal(b, found.B, 1e-4);
        Assert.Equal(x, found.X, 2e-3);
        Assert.Equal(y, found.Y, 2e-3);
        foreach (var point in Points)
        {
            var back = Apply(truth.Inverse, Apply(truth, point));
            Assert.InRange(Vector2.Distance(point, back), 0, 0.1);
        }
    }

    [Fact]
    public void No_other_transform_is_nearer()
    {
        var random = new Random(5);
        Vector2[] to = [.. Points.Select(p => new Vector2(p.Y * 2 + random.NextSingle() * 9, p.X * -1.5f + random.NextSingle() * 9))];
        var best = SimilarityTransform.Estimate(Points, to);
        for (var i = 0; i < 500; i++)
        {
            double Step() => (random.NextDouble() - 0.5) * 0.05;
            var other = new SimilarityTransform(best.A + Step(), best.B + Step(), best.X + Step(), best.Y + Step());
            Assert.True(Error(other, to) >= Error(best, to) - 1e-6);
        }
    }

    [Fact]
    public void Mirrored_points_are_not_answered_with_a_reflection()
    {
        Vector2[] mirrored = [.. Points.Select(p => new Vector2(-p.X, p.Y))];
        var found = SimilarityTransform.Estimate(Points, mirrored);
        Assert.True(found.A * found.A + found.B * found.B > 0);
        Assert.True(Error(found, mirrored) > 1);
    }

    private static double Error(SimilarityTransform transform, Vector2[] to) => Points.Zip(to, (p, q) => Vector2.DistanceSquared(Apply(transform, p), q)).Sum();

    private static Vector2 Apply(SimilarityTransform t, Vector2 p) => new((float)(t.A * p.X - t.B * p.Y + t.X), (float)(t.B * p.X + t.A * p.Y + t.Y));
}
