using Embeddings.Core.Batching;

namespace Embeddings.Core.Tests.Batching;

/// <summary>Sizes found for models whose run time is a formula.</summary>
public sealed class BatchSizerTests
{
    // Two directions from each size on the way to the largest, and 2 x 11 runs for each.
    private const int MostRuns = 8 * 22;

    [Fact]
    public void A_model_with_the_same_cost_for_any_size_gets_the_largest() =>
        Assert.Equal(64, Settle(new(64), static items => 10_000).Size);

    [Fact]
    public void A_model_that_takes_no_time_gets_the_largest() =>
        // The rest of a batch's cost is then all of it.
        Assert.Equal(128, Settle(new(128), static items => items).Size);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(32)]
    public void The_size_that_is_fastest_for_an_item_is_found(int best) =>
        Assert.Equal(best, Settle(new(32), items => items * Cost(items, best)).Size);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Noise_costs_little(int seed)
    {
        var random = new Random(seed);
        var sizer = Settle(
            new(32), items => items * Cost(items, best: 4) * (1 + (0.3 * (random.NextDouble() - 0.5))));
        Assert.InRange(sizer.Size, 2, 8);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(32)]
    public void A_known_size_needs_no_trial(int known)
    {
        var sizer = new BatchSizer(32, known);
        Assert.Equal((known, true), (sizer.Size, sizer.IsSettled));
        Assert.False(sizer.Ran(known, TimeSpan.FromMilliseconds(1)));
        Assert.Equal(known, sizer.Size);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(33)]
    public void A_known_size_that_the_model_does_not_take_is_ignored(int known)
    {
        var sizer = new BatchSizer(32, known);
        Assert.Equal((8, false), (sizer.Size, sizer.IsSettled));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(12)]
    public void No_batch_is_larger_than_the_model_takes(int largest)
    {
        var sizer = Settle(new(largest), items =>
        {
            Assert.InRange(items, 1, largest);
            return 10_000;
        });
        Assert.Equal(largest, sizer.Size);
    }

    [Fact]
    public void It_says_when_a_candidate_has_lost()
    {
        var sizer = new BatchSizer(32);
        var lost = new List<int>();
        while (!sizer.IsSettled)
        {
            var size = sizer.Next();
            if (sizer.Ran(size, TimeSpan.FromMicroseconds(size * Cost(size, best: 8))))
            {
                lost.Add(size);
            }
        }
        Assert.Equal([4, 16], lost);
    }

    // Microseconds for an item: 5 ms at the best size, a tenth more for each doubling or halving away from it.
    private static double Cost(int items, int best) => 5000 * Math.Pow(1.1, Math.Abs(Math.Log2(items) - Math.Log2(best)));

    private static BatchSizer Settle(BatchSizer sizer, Func<int, double> microseconds)
    {
        for (var runs = 0; !sizer.IsSettled; runs++)
        {
            Assert.InRange(runs, 0, MostRuns);
            var items = sizer.Next();
            sizer.Ran(items, TimeSpan.FromMicroseconds(microseconds(items)));
        }
        return sizer;
    }
}
