using Embeddings.Primitives.Numerics;
using Embeddings.Testing;

namespace Embeddings.Primitives.Tests.Numerics;

public sealed class FiniteTests
{
    [Fact]
    public void Agrees_with_a_plain_loop_wherever_the_odd_value_is()
    {
        foreach (var odd in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0, -0f, float.MaxValue, float.Epsilon, -1])
        {
            for (var length = 1; length <= 70; length++)
            {
                var values = new float[length];
                for (var at = 0; at < length; at++)
                {
                    values[at] = odd;
                    Assert.Equal(values.All(float.IsFinite), Finite.All(values));
                    Assert.Equal(values.All(v => v == 0), Finite.IsZero(values));
                    values[at] = 0;
                }
            }
        }
        Assert.True(Finite.All([]));
        Assert.True(Finite.IsZero([]));
    }
}
