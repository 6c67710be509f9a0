using Embeddings.Core.Batching;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Batching;

/// <summary>Which batches may run concurrently, and a queue whose batches are taken by hand.</summary>
public sealed class RunRuleTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    [Fact]
    public void Without_single_threaded_runs_the_sessions_are_independent()
    {
        var rule = new RunRule(3, 0);
        Assert.Equal([0, 1], Begin(rule, 2, singleThreaded: false));
        Assert.True(rule.MayRunMultiThreaded);
        Assert.False(rule.MayRunSingleThreaded(10));
        Assert.False(rule.MayJoin);

        // The last one, then the one that becomes free.
        Assert.Equal([2], Begin(rule, 1, singleThreaded: false));
        Assert.False(rule.MayRunMultiThreaded);
        rule.End(1);
        Assert.True(rule.MayRunMultiThreaded);
        Assert.Equal([1], Begin(rule, 1, singleThreaded: false));
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
    public void Single_threaded_runs_start_if_all_processors_get_one_and_continue_if_half_have_one(int singleThreadedRuns, int running, int waiting, bool mayRun)
    {
        var rule = new RunRule(1, singleThreadedRuns);
        Assert.Equal(Enumerable.Range(1, running), Begin(rule, running, singleThreaded: true));
        Assert.Equal(mayRun, rule.MayRunSingleThreaded(waiting));
        Assert.Equal(running == 0, rule.MayRunMultiThreaded);
    }

    [Fact]
    public void With_a_multi_threaded_run_only_full_batches_count()
    {
        var rule = new RunRule(1, 4);
        Assert.Equal([0], Begin(rule, 1, singleThreaded: false));
        Begin(rule, 2, singleThreaded: true);
        Assert.False(rule.MayJoin);
        Assert.False(rule.MayRunSingleThreaded(0));
        Assert.True(rule.MayRunSingleThreaded(1));

        // Never more runs than processors, though there is a free slot.
        Begin(rule, 1, singleThreaded: true);
        Assert.False(rule.MayRunSingleThreaded(10));
        rule.End(0);
        Assert.True(rule.MayJoin);
    }

    [Fact]
    public async Task An_item_alone_takes_its_own_batch_and_no_other_item_does()
    {
        using var queue = new BatchQueue(new FakeSession(singleThreadedRuns: 2), new(), TimeProvider.System);
        var item = await queue.ReserveAsync(QueueHost.Owner, default);
        var own = item.CommitAndTake(default)!;
        Assert.Same(item.Batch, own);
        Assert.Equal(0, own.Slot);

        // Something runs: the next item is left to the queue's threads, and waits for the end of the run.
        var next = await queue.ReserveAsync(QueueHost.Owner, default);
        Assert.NotSame(own, next.Batch);
        Assert.Null(next.CommitAndTake(default));
        var taking = Task.Run(queue.Take);
        Assert.NotSame(taking, await Task.WhenAny(taking, Task.Delay(50)));
        queue.Return(own);
        Assert.Same(next.Batch, await taking.WaitAsync(Soon));
        queue.Return(next.Batch);

        // Nothing runs, but there are two items.
        var (first, second) = (await queue.ReserveAsync(QueueHost.Owner, default), await queue.ReserveAsync(QueueHost.Owner, default));
        Assert.Null(first.CommitAndTake(default));
        Assert.Null(second.CommitAndTake(default));
        var both = queue.Take()!;
        Assert.Equal(2, both.Reserved);
        queue.Return(both);

        var late = await queue.ReserveAsync(QueueHost.Owner, default);
        queue.Stop();
        Assert.Null(late.CommitAndTake(default));
    }

    [Fact]
    public async Task An_item_alone_waits_for_others_if_there_is_a_delay()
    {
        using var queue = new BatchQueue(new FakeSession(), new() { MaxBatchDelay = TimeSpan.FromMilliseconds(20) }, TimeProvider.System);
        Assert.Null((await queue.ReserveAsync(QueueHost.Owner, default)).CommitAndTake(default));
        Assert.Equal(1, queue.Take()!.Reserved);
        queue.Stop();
    }

    [Fact]
    public async Task A_batch_that_is_half_full_joins_single_threaded_runs_and_a_smaller_one_waits()
    {
        using var queue = new BatchQueue(new FakeSession(singleThreadedRuns: 2), new(), TimeProvider.System);
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

        // If nothing else runs, the next batch has all threads, however small it is.
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
            items.Add(await queue.ReserveAsync(QueueHost.Owner, default).AsTask().WaitAsync(Soon));
        }
        items.ForEach(static item => _ = item.Commit(default));
    }

    private static IEnumerable<int> Begin(RunRule rule, int count, bool singleThreaded) => [.. Enumerable.Range(0, count).Select(_ => rule.Begin(singleThreaded))];
}
