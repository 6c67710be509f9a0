using Embeddings.Primitives.Numerics;
using Embeddings.Testing;

namespace Embeddings.Primitives.Tests.Numerics;

public sealed unsafe class DotProductsTests
{
    public static TheoryData<int, int, int> Shapes()
    {
        var data = new TheoryData<int, int, int>();
        foreach (var dimension in new[] { 1, 3, 15, 16, 17, 100, 512, 513, 1000 })
        {
            foreach (var rows in new[] { 1, 2, 3, 4, 5, 63, 64 })
            {
                foreach (var queries in new[] { 1, 2, 3, 4, 5, 9 })
                {
                    data.Add(dimension, rows, queries);
                }
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Agrees_with_a_plain_loop(int dimension, int rowCount, int queryCount)
    {
        var stride = DotProducts.Stride(dimension);
        using var rows = Filled(rowCount, dimension, seed: 1);
        using var queries = Filled(queryCount, dimension, seed: 2);
        var addresses = Enumerable.Range(0, rowCount).Select(r => (nint)(rows.Floats + (r * stride))).ToArray();
        var best = new float[rowCount * queryCount];
        var wide = new float[best.Length];
        var narrow = new float[best.Length];

        DotProducts.Compute(addresses, queries.Floats, queryCount, stride, best);
        DotProducts.Compute(addresses, queries.Floats, queryCount, stride, wide, 4, &DotTile512.FourByFour, &DotTile512.RowsByOne);
        DotProducts.Compute(addresses, queries.Floats, queryCount, stride, narrow, 2, &DotTile256.FourByTwo, &DotTile256.RowsByOne);

        for (var q = 0; q < queryCount; q++)
        {
            for (var r = 0; r < rowCount; r++)
            {
                var expected = 0.0;
                for (var i = 0; i < dimension; i++)
                {
                    expected += (double)rows.Floats[(r * stride) + i] * queries.Floats[(q * stride) + i];
                }

                var at = (q * rowCount) + r;
                Assert.InRange(best[at], expected - 1e-5, expected + 1e-5);
                Assert.InRange(wide[at], expected - 1e-5, expected + 1e-5);
                Assert.InRange(narrow[at], expected - 1e-5, expected + 1e-5);
            }
        }
    }

    [Fact]
    public void Equal_vectors_have_equal_scores_at_any_position()
    {
        const int Dimension = 77;
        var stride = DotProducts.Stride(Dimension);
        using var row = Filled(1, Dimension, seed: 3);
        using var queries = Filled(1, Dimension, seed: 4);
        using var many = AlignedBuffer.ZeroedFloats(7 * stride);
        for (var q = 0; q < 7; q++)
        {
            queries.AsSpan<float>().CopyTo(many.AsSpan<float>()[(q * stride)..]);
        }

        // 11 rows and 7 queries: whole tiles, and partial tiles of rows and of queries.
        var addresses = Enumerable.Repeat((nint)row.Floats, 11).ToArray();
        var scores = new float[11 * 7];
        DotProducts.Compute(addresses, many.Floats, 7, stride, scores);

        Assert.Single(scores.Select(BitConverter.SingleToInt32Bits).Distinct());
    }

    [Theory]
    [InlineData(1, 16)]
    [InlineData(16, 16)]
    [InlineData(17, 32)]
    [InlineData(512, 512)]
    public void Rows_are_padded_to_whole_registers(int dimension, int stride) => Assert.Equal(stride, DotProducts.Stride(dimension));

    private static AlignedBuffer Filled(int count, int dimension, int seed)
    {
        var random = new Random(seed);
        var stride = DotProducts.Stride(dimension);
        var floats = AlignedBuffer.ZeroedFloats(count * stride);
        for (var r = 0; r < count; r++)
        {
            var vector = Enumerable.Range(0, dimension).Select(_ => (random.NextSingle() * 2) - 1).ToArray();
            Assert.True(VectorMath.TryNormalize(vector, floats.AsSpan<float>()[(r * stride)..]));
        }

        return floats;
    }
}
