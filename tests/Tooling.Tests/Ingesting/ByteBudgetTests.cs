using Embeddings.Tooling.Ingesting;

namespace Embeddings.Tooling.Tests.Ingesting;

public sealed class ByteBudgetTests
{
    [Fact]
    public async Task Bytes_above_the_limit_wait_until_enough_are_given_back()
    {
        var budget = new ByteBudget(10);
        await budget.TakeAsync(4, default);
        await budget.TakeAsync(6, default);
        var third = budget.TakeAsync(5, default);
        Assert.False(third.IsCompleted);
        budget.GiveBack(4);
        Assert.False(third.IsCompleted);
        budget.GiveBack(6);
        await third.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task An_image_above_the_limit_is_sent_alone()
    {
        var budget = new ByteBudget(10);
        await budget.TakeAsync(100, default);
        var next = budget.TakeAsync(1, default);
        Assert.False(next.IsCompleted);
        budget.GiveBack(100);
        await next.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Waiting_can_be_canceled()
    {
        var budget = new ByteBudget(1);
        await budget.TakeAsync(1, default);
        using var source = new CancellationTokenSource();
        var waiting = budget.TakeAsync(1, source.Token);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }
}
