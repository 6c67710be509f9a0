using Embeddings.Core.Batching;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Batching;

/// <summary>Sizes found for models whose run time is a formula.</summary>
public sealed class BatchSizerTests
{
    [Fact]
    public void A_model_with_the_same_cost_for_any_size_gets_the_largest()
    {
        var sizer = new BatchSizer(64);
        Load(sizer, 2000, static items => 10_000);
        Assert.Equal(64, sizer.Size);
    }

    [Fact]
    public void A_model_that_takes_no_time_gets_the_largest()
    {
        // The rest of a batch's cost is then all of it.
        var sizer = new BatchSizer(128);
        Load(sizer, 2000, static items => items);
        Assert.Equal(128, sizer.Size);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(32)]
    public void The_size_that_is_fastest_for_an_item_is_found(int best)
    {
        var sizer = new BatchSizer(32);
        Load(sizer, 2000, items => items * Cost(items, best));
        Assert.Equal(best, sizer.Size);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Noise_costs_little(int seed)
    {
        var random = new Random(seed);
        var sizer = new BatchSizer(32);
        var noisy = 0.0;
        Load(sizer, 20_000, items =>
        {
            var cost = Cost(items, best: 4);
            noisy += cost;
            return items * cost * (1 + (0.3 * (random.NextDouble() - 0.5)));
        });
        Assert.InRange(sizer.Size, 2, 8);
        // Trials included: a size that is off by one step costs a tenth.
        Assert.InRange(noisy / 20_000, 5000, 5000 * 1.1);
    }

    [Fact]
    public void A_load_that_changes_is_followed()
    {
        var sizer = new BatchSizer(32);
        Load(sizer, 3000, static items => items * Cost(items, best: 2));
        Assert.Equal(2, sizer.Size);
        Load(sizer, 20_000, static items => items * Cost(items, best: 16));
        Assert.Equal(16, sizer.Size);
    }

    [Fact]
    public void Batches_that_are_not_full_do_not_count()
    {
        var sizer = new BatchSizer(32);
        for (var i = 0; i < 1000; i++)
        {
            Assert.Equal(8, sizer.Next());
            sizer.Ran(1 + (i % 7), TimeSpan.FromMilliseconds(1));
        }
        Assert.Equal(8, sizer.Size);
    }

    [Fact]
    public void A_size_that_the_load_does_not_fill_is_given_up()
    {
        // The best would be 32, but there are never more than 10 at once. What is said of the others is right.
        var sizer = new BatchSizer(32);
        var tries = 0;
        for (var i = 0; i < 10_000; i++)
        {
            var size = sizer.Next();
            tries += size > 10 ? 1 : 0;
            var items = Math.Min(size, 10);
            sizer.Ran(items, TimeSpan.FromMicroseconds(items * Cost(items, best: 32)));
        }
        Assert.Equal(8, sizer.Size);
        Assert.InRange(tries, 1, 1000);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(12)]
    public void No_batch_is_larger_than_the_model_takes(int largest)
    {
        var sizer = new BatchSizer(largest);
        Load(sizer, 2000, items =>
        {
            Assert.InRange(items, 1, largest);
            return 10_000;
        });
        Assert.Equal(largest, sizer.Size);
    }

    // Microseconds for an item: 5 ms at the best size, a tenth more for each doubling or halving away from it.
    private static double Cost(int items, int best) => 5000 * Math.Pow(1.1, Math.Abs(Math.Log2(items) - Math.Log2(best)));

    private static void Load(BatchSizer sizer, int runs, Func<int, double> microseconds)
    {
        for (var i = 0; i < runs; i++)
        {
            var items = sizer.Next();
            sizer.Ran(items, TimeSpan.FromMicroseconds(microseconds(items)));
        }
    }
}
