using Embeddings.Primitives.Numerics;
using Embeddings.Testing;

namespace Embeddings.Primitives.Tests.Numerics;

public sealed class HalfFloatsTests
{
    [Fact]
    public void Agrees_with_a_plain_loop_at_every_length()
    {
        var random = new Random(3);
        for (var length = 0; length < 70; length++)
        {
            var from = Enumerable.Range(0, length).Select(_ => (random.NextSingle() - 0.5f) * MathF.Pow(10, random.Next(-9, 7))).ToArray();
            var halves = new Half[length];
            HalfFloats.FromSingle(from, halves);
            Assert.Equal(from.Select(v => (Half)v), halves);
            var back = new float[length];
            HalfFloats.ToSingle(halves, back);
            Assert.Equal(halves.Select(h => (float)h), back);
        }
    }
}
