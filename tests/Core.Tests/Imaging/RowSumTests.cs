using Embeddings.Core.Imaging;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Imaging;

public sealed class RowSumTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(15, 2)]
    [InlineData(16, 3)]
    [InlineData(31, 7)]
    [InlineData(64, 1)]
    [InlineData(333, 12)]
    public void Is_the_plain_loop(int length, int rows)
    {
        var random = new Random(length);
        var stride = length + 5;
        var bytes = new byte[stride * (rows - 1) + length];
        random.NextBytes(bytes);
        var weights = Enumerable.Range(0, rows).Select(_ => random.NextSingle() * 2 - 1).ToArray();
        var sums = new float[length];
        RowSum.Add(bytes, stride, weights, sums);
        for (var j = 0; j < length; j++)
        {
            Assert.Equal(weights.Select((w, k) => (double)w * bytes[k * stride + j]).Sum(), sums[j], 1e-3);
        }
    }

    [Fact]
    public void Rows_that_are_not_there_are_not_read() =>
        Assert.ThrowsAny<ArgumentException>(() => RowSum.Add(new byte[99], 50, [1, 1], new float[50]));
}
