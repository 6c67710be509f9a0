using Embeddings.Core.Batching;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Batching;

/// <summary>Who may run beside whom, and a queue that is asked for batches by hand.</summary>
public sealed class RunRuleTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    [Fact]
    public void Without_narrow_runs_each_session_is_by_itself()
    {
        var rule = new RunRule(3, 0);
        Assert.Equal([0, 1], Begin(rule, 2, isNarrow: false));
        Assert.True(rule.MayBeWide);
        Assert.False(rule.MayBeNarrow(10));
        Assert.False(rule.MayJoin);

        // All are taken; the one that is left is the next.
        Assert.Equal([2], Begin(rule, 1, isNarrow: false));
        Assert.False(rule.MayBeWide);
        rule.End(1);
        Assert.True(rule.MayBeWide);
        Assert.Equal([1], Begin(rule, 1, isNarrow: false));
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
        var rule = new RunRule(1, narrowRuns);
        Assert.Equal(Enumerable.Range(1, running), Begin(rule, running, isNarrow: true));
        Assert.Equal(mayBeNarrow, rule.MayBeNarrow(waiting));
        Assert.Equal(running == 0, rule.MayBeWide);
    }

    [Fact]
    public void Beside_a_wide_run_only_full_batches_count()
    {
        var rule = new RunRule(1, 4);
        Assert.Equal([0], Begin(rule, 1, isNarrow: false));
        Begin(rule, 2, isNarrow: true);
        Assert.False(rule.MayJoin);
        Assert.False(rule.MayBeNarrow(0));
        Assert.True(rule.MayBeNarrow(1));

        // Never more runs than processors, though there is a slot.
        Begin(rule, 1, isNarrow: true);
        Assert.False(rule.MayBeNarrow(10));
        rule.End(0);
        Assert.True(rule.MayJoin);
    }

    [Fact]
    public async Task Who_is_alone_takes_its_own_batch_and_nobody_else_does()
    {
        using var queue = new BatchQueue(new FakeModel(narrowRuns: 2), new(), TimeProvider.System);
        var item = await queue.ReserveAsync(default);
        var own = item.CommitAndTake(default)!;
        Assert.Same(item.Batch, own);
        Assert.Equal(0, own.Slot);

        // Something runs: the next one is left to the queue's threads, and waits for the end.
        var next = await queue.ReserveAsync(default);
        Assert.NotSame(own, next.Batch);
        Assert.Null(next.CommitAndTake(default));
        var taking = Task.Run(queue.Take);
        Assert.NotSame(taking, await Task.WhenAny(taking, Task.Delay(50)));
        queue.Return(own);
        Assert.Same(next.Batch, await taking.WaitAsync(Soon));
        queue.Return(next.Batch);

        // Nothing runs, but there is company.
        var (first, second) = (await queue.ReserveAsync(default), await queue.ReserveAsync(default));
        Assert.Null(first.CommitAndTake(default));
        Assert.Null(second.CommitAndTake(default));
        var both = queue.Take()!;
        Assert.Equal(2, both.Reserved);
        queue.Return(both);

        var late = await queue.ReserveAsync(default);
        queue.Stop();
        Assert.Null(late.CommitAndTake(default));
    }

    [Fact]
    public async Task Who_is_alone_waits_for_company_where_there_is_a_delay()
    {
        using var queue = new BatchQueue(new FakeModel(), new() { MaxBatchDelay = TimeSpan.FromMilliseconds(20) }, TimeProvider.System);
        Assert.Null((await queue.ReserveAsync(default)).CommitAndTake(default));
        Assert.Equal(1, queue.Take()!.Reserved);
        queue.Stop();
    }

    [Fact]
    public async Task A_batch_that_is_half_full_joins_narrow_runs_and_a_smaller_one_waits()
    {
        using var queue = new BatchQueue(new FakeModel(narrowRuns: 2), new(), TimeProvider.System);
        await Commit(queue, 8);
        var (first, second) = (queue.Take()!, queue.Take()!);
        Assert.Equal((1, 2), (first.Slot, second.Slot));
        queue.Return(first);

        await Commit(queue, 1);
        var taking = Task.Run(queue.Take);
        Assert.NotSame(taking, await Task.WhenAny(taking, Task.Delay(50)));
        await Commit(queue, 1);
        var third = (await taking.WaitAsync(Soon))!;
        Assert.Equal((1, 2), (third.Slot, third.Reserved));

        // With nothing else going on the next one, however small, has all threads.
        queue.Return(second);
        queue.Return(third);
        await Commit(queue, 1);
        Assert.Equal(0, queue.Take()!.Slot);
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

    private static IEnumerable<int> Begin(RunRule rule, int count, bool isNarrow) => [.. Enumerable.Range(0, count).Select(_ => rule.Begin(isNarrow))];
}
