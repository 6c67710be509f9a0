using Embeddings.Server.Batching;

namespace Embeddings.Server.Tests.Batching;

/// <summary>Who may run beside whom, and a queue that is asked for batches by hand.</summary>
public sealed class RunRuleTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    [Fact]
    public void Without_narrow_runs_each_session_is_by_itself()
    {
        var rule = new RunRule(0);
        Begin(rule, 3, isNarrow: false);
        Assert.True(rule.MayBeWide);
        Assert.False(rule.MayBeNarrow(10));
        Assert.False(rule.MayJoin);
    }

    [Theory]
    [InlineData(2, 0, 1, false)]
    [InlineData(2, 0, 2, true)]
    [InlineData(2, 1, 0, true)]
    [InlineData(8, 0, 7, false)]
    [InlineData(8, 0, 8, true)]
    [InlineData(8, 3, 4, false)]
    [InlineData(8, 3, 5, true)]
    [InlineData(8, 4, 0, true)]
    public void Narrow_runs_begin_where_all_processors_get_one_and_go_on_where_half_have_one(int narrowRuns, int running, int waiting, bool mayBeNarrow)
    {
        var rule = new RunRule(narrowRuns);
        Begin(rule, running, isNarrow: true);
        Assert.Equal(mayBeNarrow, rule.MayBeNarrow(waiting));
        Assert.Equal(running == 0, rule.MayBeWide);
    }

    [Fact]
    public void Beside_a_wide_run_only_full_batches_count()
    {
        var rule = new RunRule(4);
        Begin(rule, 3, isNarrow: true);
        Begin(rule, 1, isNarrow: false);
        Assert.False(rule.MayJoin);
        Assert.True(rule.MayBeNarrow(0));
        rule.End(Batch(isNarrow: true));
        Assert.False(rule.MayBeNarrow(0));
        Assert.True(rule.MayBeNarrow(1));
    }

    [Fact]
    public async Task A_batch_that_is_half_full_joins_narrow_runs_and_a_smaller_one_waits()
    {
        using var queue = new BatchQueue(new FakeModel(narrowRuns: 2), new(), TimeProvider.System);
        await Commit(queue, 8);
        var (first, second) = (queue.Take()!, queue.Take()!);
        Assert.True(first.IsNarrow && second.IsNarrow);
        queue.Return(first);

        await Commit(queue, 1);
        var taking = Task.Run(queue.Take);
        Assert.NotSame(taking, await Task.WhenAny(taking, Task.Delay(50)));
        await Commit(queue, 1);
        var third = (await taking.WaitAsync(Soon))!;
        Assert.Equal((true, 2), (third.IsNarrow, third.Reserved));

        // With nothing else going on the next one, however small, has all threads.
        queue.Return(second);
        queue.Return(third);
        await Commit(queue, 1);
        Assert.False(queue.Take()!.IsNarrow);
        queue.Stop();
    }

    private static async Task Commit(BatchQueue queue, int count)
    {
        var items = new List<BatchItem>();
        for (var i = 0; i < count; i++)
        {
            items.Add(await queue.ReserveAsync(default).AsTask().WaitAsync(Soon));
        }
        items.ForEach(static item => _ = item.Commit(default));
    }

    private static void Begin(RunRule rule, int count, bool isNarrow)
    {
        for (var i = 0; i < count; i++)
        {
            rule.Begin(Batch(isNarrow));
        }
    }

    private static Batch Batch(bool isNarrow) => new(new FakeModel().CreateTensor()) { IsNarrow = isNarrow };
}
