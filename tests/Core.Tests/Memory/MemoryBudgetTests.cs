using Embeddings.Core.Memory;

namespace Embeddings.Core.Tests.Memory;

public sealed class MemoryBudgetTests
{
    private const long Mebibyte = 1 << 20;

    [Theory]
    [InlineData(512, 200)]
    [InlineData(768, 300)]
    [InlineData(2048, 400)]
    public void The_budget_is_what_the_process_may_use_less_what_it_uses(int limit, int resident)
    {
        var budget = Budget(limit);
        budget.Adapt(resident * Mebibyte, isInitial: true);
        var all = ((limit * 3 / 4) - resident) * Mebibyte;
        var share = all / 8 * 3;
        Assert.Equal(share / 4 * 3, budget.Messages.Largest);
        Assert.True(budget.Messages.TryEnter(new(share, 1, false)));
        Assert.False(budget.Messages.TryEnter(new(1, 1, false)));
        Assert.True(budget.Decoding.TryEnter(new(share, 1, false)));
        Assert.True(budget.Photos.TryEnter(new(all - (2 * share), 1, false)));
        Assert.False(budget.Photos.TryEnter(new(1, 1, false)));
        Assert.Equal(all, budget.Used);
    }

    [Fact]
    public void A_process_that_grows_otherwise_has_less_left()
    {
        var budget = Budget(1024);
        budget.Adapt(268 * Mebibyte, isInitial: true);
        var charge = new Charge(100 * Mebibyte, 1, false);
        Assert.True(budget.Messages.TryEnter(charge));
        // The charge is in the resident memory.
        budget.Adapt(368 * Mebibyte);
        Assert.False(budget.IsScarce);
        budget.Adapt(768 * Mebibyte);
        Assert.True(budget.IsScarce);
        Assert.False(budget.Messages.TryEnter(new(Mebibyte, 1, false)));
        budget.Messages.Exit(charge);
        budget.Adapt(268 * Mebibyte);
        Assert.False(budget.IsScarce);
        Assert.True(budget.Messages.TryEnter(new(185 * Mebibyte, 1, false)));
    }

    [Fact]
    public void Garbage_of_a_quarter_of_the_budget_is_collected()
    {
        var budget = Budget(256);
        budget.Adapt(0, isInitial: true);
        var before = GC.CollectionCount(2);
        // 48 MiB are a quarter; collections for other reasons begin the count again.
        for (var i = 0; i < 200 && GC.CollectionCount(2) == before; i++)
        {
            budget.Discard(Mebibyte);
        }
        Assert.True(GC.CollectionCount(2) > before);
    }

    private static MemoryBudget Budget(int mebibytes) => new(new() { LimitBytes = mebibytes * Mebibyte }, new() { MaxConcurrentDecodes = 2 });
}
