using Embeddings.Primitives.Numerics;
using Embeddings.Testing;

namespace Embeddings.Storage.Qdrant.Tests;

public sealed class StoredVectorsTests
{
    [Fact]
    public void A_vector_of_length_1_is_not_touched()
    {
        var random = new Random(1);
        for (var i = 0; i < 100; i++)
        {
            var vector = Vector(random, 512, 1);
            UnitLength.TryNormalize(vector);
            Assert.Null(StoredVectors.NormOf(vector));
        }
    }

    [Theory]
    [InlineData(1e-40f)]
    [InlineData(1e-20f)]
    [InlineData(1e-4f)]
    [InlineData(1.01f)]
    [InlineData(77f)]
    [InlineData(1e15f)]
    [InlineData(1e37f)]
    public void Others_come_back_as_near_as_promised(float scale)
    {
        var random = new Random(2);
        var vector = Vector(random, 512, scale);
        var unit = new float[512];
        var norm = StoredVectors.NormOf(vector)!.Value;
        StoredVectors.ToUnit(vector, norm, unit);
        Assert.Equal(1, Math.Sqrt(unit.Sum(value => (double)value * value)), 1e-6);
        AssertNear(vector, StoredVectors.FromUnit(unit, norm));
    }

    [Fact]
    public void The_shortest_vector_has_a_direction()
    {
        var unit = new float[2];
        var norm = StoredVectors.NormOf([0, -float.Epsilon])!.Value;
        Assert.Equal(float.Epsilon, norm, 1e-50);
        StoredVectors.ToUnit([0, -float.Epsilon], norm, unit);
        Assert.Equal([0, -1], unit);
    }

    /// <summary>Within 2^-22 of each number, and 1e-38 of the length.</summary>
    internal static void AssertNear(float[] given, float[] found)
    {
        var length = Math.Sqrt(given.Sum(value => (double)value * value));
        Assert.Equal(given.Length, found.Length);
        Assert.All(given.Zip(found), pair => Assert.True(
            Math.Abs((double)pair.First - pair.Second) <= (Math.Abs((double)pair.First) / (1 << 22)) + (length * 1e-38) + float.Epsilon, $"{pair}"));
    }

    private static float[] Vector(Random random, int dimension, float scale) =>
        [.. Enumerable.Range(0, dimension).Select(_ => ((random.NextSingle() * 2) - 1) * scale)];
}
