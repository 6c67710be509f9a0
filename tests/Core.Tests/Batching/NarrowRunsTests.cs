using Embeddings.Core.Batching;
using Embeddings.Primitives;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Batching;

/// <summary>The queue of a model with narrow runs: slot 0 is the wide one, those after it are narrow.</summary>
public sealed class NarrowRunsTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task A_batch_alone_runs_wide()
    {
        using var host = new QueueHost(new(narrowRuns: 2));
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(i, (await host.Embed(i).WaitAsync(Soon)).Vector[0]);
        }
        // Full ones too.
        await host.EmbedBatches(1).WaitAsync(Soon);
        Assert.Equal([0, 0, 0, 0, 0, 0], host.Model.Slots);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public async Task As_many_full_batches_as_narrow_runs_go_on_at_once(int narrowRuns)
    {
        using var host = new QueueHost(new(narrowRuns: narrowRuns));
        host.Model.Pause();
        var results = host.EmbedBatches(narrowRuns);
        await host.UntilRunning([.. Enumerable.Range(1, narrowRuns)]);
        host.Model.Resume();
        Assert.All(await results.WaitAsync(Soon), result => Assert.Equal(4, result.BatchSize));

        // The load is over: all threads for one again.
        await host.Embed(1).WaitAsync(Soon);
        Assert.Equal(0, host.Model.Slots[^1]);
        Assert.DoesNotContain(0, host.Model.Slots[..^1]);
    }

    [Fact]
    public async Task Fewer_full_batches_than_narrow_runs_go_one_after_the_other_and_wide()
    {
        using var host = new QueueHost(new(narrowRuns: 3));
        host.Model.Pause();
        var held = host.Embed(100);
        await host.UntilRunning([0]);
        var results = host.EmbedBatches(1);
        await Task.Delay(50);
        Assert.Equal([0], host.Model.Running);
        host.Model.Resume();
        await held.WaitAsync(Soon);
        await results.WaitAsync(Soon);
        Assert.Equal([0, 0], host.Model.Slots);
    }

    [Fact]
    public async Task A_batch_that_becomes_full_last_lets_the_one_before_it_run()
    {
        using var host = new QueueHost(new(narrowRuns: 3));
        host.Model.Pause();
        var held = host.Embed(100);
        await host.UntilRunning([0]);
        var results = host.EmbedBatches(1);
        // All places of the second are taken, but nothing is in them yet: the count is there, and the first can run.
        var places = await host.Places(4);
        await host.UntilOneRunsNarrow();
        var rest = host.Commit(places);
        await host.UntilRunning(3);
        host.Model.Resume();
        await Task.WhenAll(held, results, rest).WaitAsync(Soon);
    }

    [Fact]
    public async Task Tensors_are_one_more_than_narrow_runs()
    {
        using var host = new QueueHost(new(narrowRuns: 2));
        host.Model.Pause();
        var items = Enumerable.Range(0, 100).Select(i => host.Embed(i)).ToList();
        await host.UntilRunning(2);
        host.Model.Resume();
        var results = await Task.WhenAll(items).WaitAsync(Soon);
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (float)i), results.Select(result => result.Vector[0]));
        Assert.Equal(3, host.Model.TensorsMade);
    }

    [Fact]
    public async Task A_poisoned_items_neighbours_run_again_in_the_same_slot()
    {
        using var host = new QueueHost(new(narrowRuns: 2));
        host.Model.Pause();
        var places = await host.Places(8);
        var items = places.Select((place, i) => host.Commit(place, i == 5 ? FakeModel.Poison : i)).ToList();
        await host.UntilRunning([1, 2]);
        host.Model.Resume();
        await Assert.ThrowsAsync<Fault>(() => items[5].WaitAsync(Soon));
        await Task.WhenAll(items.Where((_, i) => i != 5)).WaitAsync(Soon);
        var slots = host.Model.Runs.Zip(host.Model.Slots).Where(run => run.First.Any(value => value is FakeModel.Poison or >= 4)).Select(run => run.Second).ToList();
        Assert.Equal(5, slots.Count);
        Assert.InRange(Assert.Single(slots.Distinct()), 1, 2);
    }

    [Fact]
    public async Task With_a_delay_a_batch_waits_for_company_but_not_when_full()
    {
        using var host = new QueueHost(new(maxBatch: 2, narrowRuns: 2), TimeSpan.FromSeconds(1));
        for (var round = 0; round < 3; round++)
        {
            var first = host.Embed(1);
            // Whoever waits with the first does not keep the second from being seen.
            await Task.Delay(20);
            var second = host.Embed(2);
            Assert.Equal(2, (await first.WaitAsync(Soon)).BatchSize);
            Assert.Equal(2, (await second.WaitAsync(Soon)).BatchSize);
        }
        // Alone, it runs all the same once the delay is over.
        Assert.Equal(1, (await host.Embed(3).WaitAsync(Soon)).BatchSize);
        Assert.All(host.Model.Slots, slot => Assert.Equal(0, slot));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task Under_load_batches_get_the_size_that_is_fastest_for_an_item(int narrowRuns)
    {
        using var host = new QueueHost(new(maxBatch: 16, narrowRuns: narrowRuns) { Takes = static count => count * count / 4 });
        await Task.WhenAll(Enumerable.Range(0, 800).Select(i => host.Embed(i))).WaitAsync(Soon);
        Assert.Equal(8, host.Model.Runs.Max(run => run.Length));
        Assert.InRange(host.Model.Runs[^10..^2].Max(run => run.Length), 1, 4);
    }

    [Fact]
    public async Task Stopping_waits_for_all_runs_and_fails_what_waits()
    {
        using var host = new QueueHost(new(narrowRuns: 2));
        host.Model.Pause();
        var held = host.EmbedBatches(2);
        await host.UntilRunning([1, 2]);
        var waiting = host.Embed(1);
        var stopping = Task.Run(host.Stop);
        Assert.Equal(FaultKind.Unavailable, (await Assert.ThrowsAsync<Fault>(() => waiting.WaitAsync(Soon))).Kind);
        await Assert.ThrowsAsync<Fault>(() => host.Embed(2).WaitAsync(Soon));
        Assert.False(stopping.IsCompleted);
        host.Model.Resume();
        Assert.Equal(8, (await held.WaitAsync(Soon)).Length);
        await stopping.WaitAsync(Soon);
    }

    [Theory]
    [InlineData(0, 2, 0)]
    [InlineData(0, 2, 1)]
    [InlineData(2, 1, 0)]
    [InlineData(2, 1, 1)]
    [InlineData(4, 1, 0)]
    public async Task Every_item_of_many_callers_is_answered_once(int narrowRuns, int sessions, int delay)
    {
        const int Callers = 64;
        const int Each = 40;
        using var host = new QueueHost(new(sessions: sessions, narrowRuns: narrowRuns) { Takes = static _ => 1 }, TimeSpan.FromMilliseconds(delay));
        var answers = await Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(async () =>
        {
            var random = new Random(caller);
            var answered = new List<float>();
            for (var i = 0; i < Each; i++)
            {
                if (random.Next(8) == 0)
                {
                    (await host.Places(1))[0].Abandon();
                }
                var value = (float)((caller * Each) + i);
                using var cancellation = new CancellationTokenSource();
                var call = host.Embed(value, cancellation.Token);
                if (random.Next(4) == 0)
                {
                    await Task.Yield();
                    await cancellation.CancelAsync();
                }
                try
                {
                    Assert.Equal([value, value + 1], (await call.WaitAsync(Soon)).Vector);
                    answered.Add(value);
                }
                catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
                {
                }
            }
            return answered;
        })));

        var ran = host.Model.Runs.SelectMany(run => run).ToList();
        Assert.Equal(ran.Count, ran.Distinct().Count());
        // What is cancelled may have run all the same, but nothing else is missing.
        Assert.Empty(answers.SelectMany(values => values).Except(ran));
        Assert.InRange(answers.Sum(values => values.Count), Callers * Each / 2, Callers * Each);
        Assert.Equal(narrowRuns > 0, host.Model.Slots.Exists(slot => slot >= sessions));
    }
}
