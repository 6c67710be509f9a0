using Embeddings.Testing;
using Embeddings.Tooling.Models.Checking;

namespace Embeddings.Tooling.Tests.Models.Checking;

public sealed class SeparationTests
{
    [Fact]
    public void Separate_cosines_have_a_threshold_halfway()
    {
        var separation = Separation.Of([0.9f, 0.7f], [0.1f, 0.3f, 0.2f]);
        Assert.Equal(0.5, separation.Threshold, 1e-6);
        Assert.Equal((0, 1), (separation.EqualErrorRate, separation.BalancedAccuracy));
        Assert.True(separation.Distance > 3);
    }

    [Fact]
    public void Equal_cosines_are_not_separated()
    {
        var separation = Separation.Of([0.1f, 0.2f, 0.3f, 0.4f], [0.1f, 0.2f, 0.3f, 0.4f]);
        Assert.Equal(0.5, separation.EqualErrorRate, 1e-9);
        Assert.Equal(0.5, separation.BalancedAccuracy, 1e-9);
        Assert.Equal(0, separation.Distance);
    }

    [Fact]
    public void One_error_in_four_on_each_side_is_an_error_rate_of_a_quarter()
    {
        var separation = Separation.Of([0.2f, 0.6f, 0.7f, 0.8f], [0.1f, 0.3f, 0.4f, 0.65f]);
        Assert.Equal(0.25, separation.EqualErrorRate, 1e-9);
        Assert.Equal(0.75, separation.BalancedAccuracy, 1e-9);
    }

    [Fact]
    public void The_threshold_has_the_highest_balanced_accuracy()
    {
        var random = new Random(7);
        for (var round = 0; round < 50; round++)
        {
            var same = Enumerable.Range(0, random.Next(1, 30)).Select(_ => (float)Math.Round((random.NextDouble() * 1.2) - 0.3, 2)).ToArray();
            var different = Enumerable.Range(0, random.Next(1, 60)).Select(_ => (float)Math.Round((random.NextDouble() * 1.2) - 0.7, 2)).ToArray();
            double Right(double cut) => (same.Count(c => c > cut) / (double)same.Length / 2) + (different.Count(c => c <= cut) / (double)different.Length / 2);
            var best = Enumerable.Range(-110, 230).Max(i => Right((i / 100.0) + 0.005));
            var separation = Separation.Of(same, different);
            Assert.Equal(best, separation.BalancedAccuracy, 1e-9);
            Assert.Equal(best, Right(separation.Threshold), 1e-9);
            Assert.InRange(separation.EqualErrorRate, 0, 1);
        }
    }
}
