using Embeddings.Primitives.Numerics;
using Embeddings.Testing;

namespace Embeddings.Storage.Qdrant.Tests;

public sealed class StoredVectorsTests
{
    [Fact]
    public void A_vector_with_norm_1_is_unchanged()
    {
        var random = new Random(1);
        for (var i = 0; i < 100; i++)
        {
            var vector = Vector(random, 512, 1);
            VectorMath.TryNormalize(vector);
            Assert.Null(UnitVectors.NormOf(vector));
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
    public void Other_vectors_are_restored_within_the_documented_error(float scale)
    {
        var random = new Random(2);
        var vector = Vector(random, 512, scale);
        var unit = new float[512];
        var norm = UnitVectors.NormOf(vector)!.Value;
        VectorMath.Divide(vector, norm, unit);
        Assert.Equal(1, Math.Sqrt(unit.Sum(value => (double)value * value)), 1e-6);
        AssertNear(vector, StoredVectors.FromUnit(unit, norm));
    }

    [Fact]
    public void The_shortest_vector_keeps_its_direction()
    {
        var unit = new float[2];
        var norm = UnitVectors.NormOf([0, -float.Epsilon])!.Value;
        Assert.Equal(float.Epsilon, norm, 1e-50);
        VectorMath.Divide([0, -float.Epsilon], norm, unit);
        Assert.Equal([0, -1], unit);
    }

    /// <summary>Asserts a relative error of at most 2^-22 per value, plus 1e-38 of the norm.</summary>
    internal static void AssertNear(float[] given, float[] found)
    {
        var length = Math.Sqrt(given.Sum(value => (double)value * value));
        Assert.Equal(given.Length, found.Length);
        Assert.All(given.Zip(found), pair =>
        {
            var tolerance = (Math.Abs((double)pair.First) / (1 << 22)) + (length * 1e-38) + float.Epsilon;
            Assert.True(Math.Abs((double)pair.First - pair.Second) <= tolerance, $"{pair}");
        });
    }

    private static float[] Vector(Random random, int dimension, float scale) =>
        [.. Enumerable.Range(0, dimension).Select(_ => ((random.NextSingle() * 2) - 1) * scale)];
}
