namespace Embeddings.Storage.Sqlite.Tests;

public sealed class RowSlotsTests
{
    [Fact]
    public void It_has_the_same_content_as_a_dictionary()
    {
        var random = new Random(2);
        var slots = new RowSlots();
        var expected = new Dictionary<long, int>();
        for (var i = 0; i < 200_000; i++)
        {
            var row = random.Next(3) == 0 ? random.Next(1, 5000) : random.NextInt64(1, long.MaxValue) >> random.Next(63);
            if (random.Next(3) == 0)
            {
                Assert.Equal(expected.Remove(row, out var slot) ? slot : -1, slots.Remove(row));
            }
            else
            {
                var slot = random.Next();
                slots.Set(row, slot);
                expected[row] = slot;
            }

            Assert.Equal(expected.TryGetValue(row, out var found) ? found : -1, slots.Find(row));
        }

        Assert.All(expected, pair => Assert.Equal(pair.Value, slots.Find(pair.Key)));
        slots.Clear();
        Assert.Equal(-1, slots.Find(expected.Keys.First()));
    }

    [Fact]
    public void Many_rows_take_few_bytes()
    {
        const int Rows = 1_000_000;
        var before = GC.GetAllocatedBytesForCurrentThread();
        var slots = new RowSlots();
        for (var row = 1; row <= Rows; row++)
        {
            slots.Set(row, row - 1);
        }

        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / (double)Rows, 4, 6);
    }
}
