using Embeddings.Primitives.Numerics;
using Embeddings.Testing;

namespace Embeddings.Primitives.Tests.Numerics;

public sealed class VectorMathTests
{
    public static TheoryData<int, float> Scales()
    {
        var data = new TheoryData<int, float>();
        foreach (var length in new[] { 1, 2, 7, 127, 131, 256, 257, 512, 513, 65_536 })
        {
            foreach (var scale in new[] { 1, 1e-45f, 1e-42f, 1e-38f, 1e-30f, 1e-15f, 1e-12f, 1e-6f, 1e6f, 1e12f, 1e15f, 1e30f, 3e38f })
            {
                data.Add(length, scale);
            }
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Scales))]
    public void Normalizes_vectors_of_any_magnitude_and_keeps_their_direction(int length, float scale)
    {
        var random = new Random(length);
        var vector = Enumerable.Range(0, length).Select(_ => ((random.NextSingle() * 2) - 1) * scale).ToArray();
        vector[length / 2] = scale;
        var before = vector.ToArray();
        var norm = Math.Sqrt(vector.Sum(v => (double)v * v));
        Assert.Equal(1, VectorMath.Norm(vector) / norm, 1e-6);

        var unit = new float[length + 1];
        Assert.True(VectorMath.TryNormalize(vector, unit));
        Assert.Equal(before, vector);
        Assert.Equal(0, unit[length]);
        Assert.True(VectorMath.TryNormalize(vector));
        Assert.Equal(vector, unit[..length]);

        Assert.Equal(1, Math.Sqrt(vector.Sum(v => (double)v * v)), 1e-6);
        Assert.All(before.Zip(vector), pair => Assert.Equal(pair.First / norm, pair.Second, 1e-6));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(531)]
    public void Division_is_that_of_a_plain_loop_bit_for_bit(int length)
    {
        var random = new Random(length);
        foreach (var norm in (double[])[1, 3, 1e-44, 1e38, 7.123456789])
        {
            float[] vector = [.. Enumerable.Range(0, length).Select(_ => (random.NextSingle() - 0.5f) * (float)norm)];
            var unit = new float[length];
            VectorMath.Divide(vector, norm, unit);
            Assert.Equal(vector.Select(value => (float)(value * (1 / norm))), unit);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(75)]
    [InlineData(512)]
    [InlineData(2051)]
    public void Norm_and_precise_cosine_do_not_depend_on_the_address(int length)
    {
        var random = new Random(length);
        float[] Vector() => [.. Enumerable.Range(0, length).Select(_ => random.NextSingle() - 0.5f)];
        var (left, right) = (Vector(), Vector());
        VectorMath.TryNormalize(left);
        VectorMath.TryNormalize(right);
        var (norm, cosine) = (VectorMath.Norm(left), VectorMath.PreciseCosine(left, right));
        Assert.Equal(left.Zip(right, (x, y) => (double)x * y).Sum(), cosine, 1e-6);
        Assert.Equal(1, VectorMath.PreciseCosine(left, left), 1e-14);
        for (var offset = 0; offset < 32; offset++)
        {
            float[] movedLeft = [.. new float[offset], .. left];
            float[] movedRight = [.. new float[31 - offset], .. right];
            Assert.Equal(norm, VectorMath.Norm(movedLeft.AsSpan(offset)));
            Assert.Equal(cosine, VectorMath.PreciseCosine(movedLeft.AsSpan(offset), movedRight.AsSpan(31 - offset)));
        }
    }

    [Fact]
    public void Leaves_a_vector_without_a_direction_unchanged()
    {
        foreach (var odd in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
        {
            for (var at = 0; at < 19; at++)
            {
                var vector = Enumerable.Repeat(1f, 19).ToArray();
                vector[at] = odd;
                var before = vector.ToArray();
                Assert.False(VectorMath.TryNormalize(vector));
                Assert.Equal(before, vector);
            }
        }
        Assert.False(VectorMath.TryNormalize(new float[33]));
        Assert.False(VectorMath.TryNormalize([]));
    }

    [Fact]
    public void Checks_agree_with_a_plain_loop_for_an_odd_value_at_any_position()
    {
        foreach (var odd in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0, -0f, float.MaxValue, float.Epsilon, -1])
        {
            for (var length = 1; length <= 70; length++)
            {
                var values = new float[length];
                for (var at = 0; at < length; at++)
                {
                    values[at] = odd;
                    Assert.Equal(values.All(float.IsFinite), VectorMath.IsFinite(values));
                    Assert.Equal(values.All(v => v == 0), VectorMath.IsZero(values));
                    values[at] = 0;
                }
            }
        }
        Assert.True(VectorMath.IsFinite([]));
        Assert.True(VectorMath.IsZero([]));
    }

    [Fact]
    public void Float16_conversion_agrees_with_a_plain_loop_at_every_length()
    {
        var random = new Random(3);
        for (var length = 0; length < 70; length++)
        {
            var from = Enumerable.Range(0, length)
                .Select(_ => (random.NextSingle() - 0.5f) * MathF.Pow(10, random.Next(-9, 7)))
                .ToArray();
            var halves = new Half[length];
            VectorMath.ToHalf(from, halves);
            Assert.Equal(from.Select(v => (Half)v), halves);
            var back = new float[length];
            VectorMath.ToSingle(halves, back);
            Assert.Equal(halves.Select(h => (float)h), back);
        }
    }
}
