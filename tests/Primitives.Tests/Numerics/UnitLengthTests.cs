using Embeddings.Primitives.Numerics;
using Embeddings.Testing;

namespace Embeddings.Primitives.Tests.Numerics;

public sealed class UnitLengthTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(127)]
    [InlineData(512)]
    [InlineData(513)]
    [InlineData(65_536)]
    public void Every_scale_comes_to_length_one_and_keeps_its_direction(int length)
    {
        var random = new Random(length);
        foreach (var scale in (float[])[1, 1e-45f, 1e-38f, 1e-30f, 1e-12f, 1e-6f, 1e6f, 1e12f, 1e30f, 3e38f])
        {
            var vector = Enumerable.Range(0, length).Select(_ => ((random.NextSingle() * 2) - 1) * scale).ToArray();
            vector[length / 2] = scale;
            var expected = Plain(vector);
            Assert.True(UnitLength.TryNormalize(vector));
            Assert.Equal(1, Math.Sqrt(vector.Sum(v => (double)v * v)), 1e-6);
            for (var i = 0; i < length; i++)
            {
                Assert.Equal(expected[i], vector[i], 1e-6);
            }
        }
    }

    [Fact]
    public void What_has_no_direction_stays_as_it_is()
    {
        foreach (var odd in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
        {
            for (var at = 0; at < 19; at++)
            {
                var vector = Enumerable.Repeat(1f, 19).ToArray();
                vector[at] = odd;
                var before = vector.ToArray();
                Assert.False(UnitLength.TryNormalize(vector));
                Assert.Equal(before, vector);
            }
        }
        Assert.False(UnitLength.TryNormalize(new float[33]));
        Assert.False(UnitLength.TryNormalize([]));
    }

    private static double[] Plain(float[] vector)
    {
        var norm = Math.Sqrt(vector.Sum(v => (double)v * v));
        return [.. vector.Select(v => v / norm)];
    }
}
