using Embeddings.Storage.Sqlite.Approximate;

namespace Embeddings.Storage.Sqlite.Tests.Approximate;

public sealed class RowBitsTests
{
    [Theory]
    [InlineData(300)]
    [InlineData(100_000)]
    public void It_is_a_set(int range)
    {
        var random = new Random(range);
        var (bits, set) = (new RowBits(), new HashSet<long>());
        for (var i = 0; i < 20_000; i++)
        {
            var row = 1 + random.NextInt64(range);
            if (random.Next(3) == 0)
            {
                Assert.Equal(set.Remove(row), bits.Remove(row));
            }
            else
            {
                Assert.Equal(set.Add(row), bits.Add(row));
            }

            Assert.Equal(set.Count, bits.Count);
            row = 1 + random.NextInt64(range);
            Assert.Equal(set.Contains(row), bits.Contains(row));
        }

        Assert.Equal(set.Order(), bits.ToArray().Order());
        var some = bits.Some(10);
        Assert.Equal(10, some.Distinct().Count());
        Assert.All(some, row => Assert.Contains(row, set));
        bits.Clear();
        Assert.Equal(0, bits.Count);
        Assert.Empty(bits.ToArray());
    }

    [Fact]
    public void Distant_rows_are_kept()
    {
        var bits = new RowBits();
        long[] rows = [1, 63, 64, 4095, 4096, 1L << 40, long.MaxValue];
        Assert.All(rows, row => Assert.True(bits.Add(row)));
        Assert.Equal(rows, bits.ToArray().Order());
        Assert.All(rows, row => Assert.True(bits.Remove(row)));
        Assert.Empty(bits.ToArray());
    }
}
