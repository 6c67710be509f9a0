using Embeddings.Primitives.Numerics;
using Embeddings.Testing;

namespace Embeddings.Primitives.Tests.Numerics;

public sealed class RowNormalizerTests
{
    [Theory]
    [InlineData(1f)]
    [InlineData(1e-42f)]
    [InlineData(1e-15f)]
    [InlineData(1e15f)]
    [InlineData(3e38f)]
    public void Brings_any_scale_to_unit_length(float scale)
    {
        var random = new Random(5);
        var vector = Enumerable.Range(0, 131).Select(_ => ((random.NextSingle() * 2) - 1) * scale).ToArray();
        var norm = Math.Sqrt(vector.Sum(value => (double)value * value));
        var unit = new float[vector.Length];

        Assert.True(RowNormalizer.TryNormalize(vector, unit));

        Assert.Equal(1, Math.Sqrt(unit.Sum(value => (double)value * value)), 1e-6);
        Assert.All(vector.Zip(unit), pair => Assert.Equal(pair.First / norm, pair.Second, 1e-6));
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Refuses_what_has_no_direction(float value) => Assert.False(RowNormalizer.TryNormalize([0, value, 0], new float[3]));
}
