using Embeddings.Core.Batching;
using Embeddings.Primitives;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Batching;

/// <summary>The queue of a session with single-threaded runs: slot 0 is multi-threaded, those after it are single-threaded.</summary>
public sealed class SingleThreadedRunsTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task A_batch_alone_runs_multi_threaded()
    {
        using var host = new QueueHost(new(singleThreadedRuns: 2));
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(i, (await host.Embed(i).WaitAsync(Soon)).Vector[0]);
        }
        // Full ones too.
        await host.EmbedBatches(1).WaitAsync(Soon);
        Assert.Equal([0, 0, 0, 0, 0, 0], host.Session.Slots);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public async Task As_many_full_batches_as_single_threaded_runs_run_concurrently(int singleThreadedRuns)
    {
        using var host = new QueueHost(new(singleThreadedRuns: singleThreadedRuns));
        host.Session.Pause();
        var results = host.EmbedBatches(singleThreadedRuns);
        await host.UntilRunning([.. Enumerable.Range(1, singleThreadedRuns)]);
        host.Session.Resume();
        Assert.All(await results.WaitAsync(Soon), result => Assert.Equal(4, result.BatchSize));

        // The load is over: one run has all threads again.
        await host.Embed(1).WaitAsync(Soon);
        Assert.Equal(0, host.Session.Slots[^1]);
        Assert.DoesNotContain(0, host.Session.Slots[..^1]);
    }

    [Fact]
    public async Task Fewer_full_batches_than_single_threaded_runs_run_one_after_the_other_and_multi_threaded()
    {
        using var host = new QueueHost(new(singleThreadedRuns: 3));
        host.Session.Pause();
        var held = host.Embed(100);
        await host.UntilRunning([0]);
        var results = host.EmbedBatches(1);
        await Task.Delay(50);
        Assert.Equal([0], host.Session.Running);
        host.Session.Resume();
        await held.WaitAsync(Soon);
        await results.WaitAsync(Soon);
        Assert.Equal([0, 0], host.Session.Slots);
    }

    [Fact]
    public async Task A_batch_that_becomes_full_lets_the_one_before_it_run()
    {
        using var host = new QueueHost(new(singleThreadedRuns: 3));
        host.Session.Pause();
        var held = host.Embed(100);
        await host.UntilRunning([0]);
        var results = host.EmbedBatches(1);
        // All places of the second are reserved, but have no input yet: there are enough batches, and the first can run.
        var places = await host.Places(4);
        await host.UntilOneRunsSingleThreaded();
        var rest = host.Commit(places);
        await host.UntilRunning(3);
        host.Session.Resume();
        await Task.WhenAll(held, results, rest).WaitAsync(Soon);
    }

    [Fact]
    public async Task Tensors_are_one_more_than_single_threaded_runs()
    {
        using var host = new QueueHost(new(singleThreadedRuns: 2));
        host.Session.Pause();
        var items = Enumerable.Range(0, 100).Select(i => host.Embed(i)).ToList();
        await host.UntilRunning(2);
        host.Session.Resume();
        var results = await Task.WhenAll(items).WaitAsync(Soon);
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (float)i), results.Select(result => result.Vector[0]));
        Assert.Equal(3, host.Session.TensorsCreated);
    }

    [Fact]
    public async Task The_neighbours_of_a_poisoned_item_run_again_in_the_same_slot()
    {
        using var host = new QueueHost(new(singleThreadedRuns: 2));
        host.Session.Pause();
        var places = await host.Places(8);
        var items = places.Select((place, i) => host.Commit(place, i == 5 ? FakeSession.Poison : i)).ToList();
        await host.UntilRunning([1, 2]);
        host.Session.Resume();
        await Assert.ThrowsAsync<Fault>(() => items[5].WaitAsync(Soon));
        await Task.WhenAll(items.Where((_, i) => i != 5)).WaitAsync(Soon);
        var slots = host.Session.Runs.Zip(host.Session.Slots).Where(run => run.First.Any(value => value is FakeSession.Poison or >= 4)).Select(run => run.Second).ToList();
        Assert.Equal(5, slots.Count);
        Assert.InRange(Assert.Single(slots.Distinct()), 1, 2);
    }

    [Fact]
    public async Task With_a_delay_a_batch_waits_for_more_items_but_not_when_full()
    {
        using var host = new QueueHost(new(maxBatch: 2, singleThreadedRuns: 2), TimeSpan.FromSeconds(1));
        for (var round = 0; round < 3; round++)
        {
            var first = host.Embed(1);
            // The first item's delay has begun: it must not keep the second from being seen.
            await Task.Delay(20);
            var second = host.Embed(2);
            Assert.Equal(2, (await first.WaitAsync(Soon)).BatchSize);
            Assert.Equal(2, (await second.WaitAsync(Soon)).BatchSize);
        }
        // Alone, it runs once the delay is over.
        Assert.Equal(1, (await host.Embed(3).WaitAsync(Soon)).BatchSize);
        Assert.All(host.Session.Slots, slot => Assert.Equal(0, slot));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task After_a_trial_batches_have_the_size_with_the_lowest_time_per_item(int singleThreadedRuns)
    {
        using var host = new QueueHost(new(maxBatch: 16, singleThreadedRuns: singleThreadedRuns) { Takes = static count => count * count / 4 });
        await Load();
        Assert.Equal(8, host.Session.Runs.Max(run => run.Length));
        Assert.True(host.Runner.Trials.AreWanted);

        host.Session.Runs.Clear();
        host.Session.Slots.Clear();
        while (!host.Runner.Trials.Run(TimeProvider.System, default))
        {
        }
        // As under load: all slots of that kind.
        Assert.Equal(singleThreadedRuns > 0 ? [1, 2] : [0], host.Session.Slots.Distinct().Order());

        host.Session.Runs.Clear();
        await Load();
        Assert.InRange(host.Session.Runs.Max(run => run.Length), 1, 4);

        Task Load() => Task.WhenAll(Enumerable.Range(0, 100).Select(i => host.Embed(i))).WaitAsync(Soon);
    }

    [Fact]
    public async Task Stopping_waits_for_all_runs_and_fails_waiting_items()
    {
        using var host = new QueueHost(new(singleThreadedRuns: 2));
        host.Session.Pause();
        var held = host.EmbedBatches(2);
        await host.UntilRunning([1, 2]);
        var waiting = host.Embed(1);
        var stopping = Task.Run(host.Runner.Dispose);
        Assert.Equal(FaultKind.Unavailable, (await Assert.ThrowsAsync<Fault>(() => waiting.WaitAsync(Soon))).Kind);
        await Assert.ThrowsAsync<Fault>(() => host.Embed(2).WaitAsync(Soon));
        Assert.False(stopping.IsCompleted);
        host.Session.Resume();
        Assert.Equal(8, (await held.WaitAsync(Soon)).Length);
        await stopping.WaitAsync(Soon);
    }

    [Theory]
    [InlineData(0, 2, 0)]
    [InlineData(0, 2, 1)]
    [InlineData(2, 1, 0)]
    [InlineData(2, 1, 1)]
    [InlineData(4, 1, 0)]
    public async Task Every_item_of_many_callers_is_answered_once(int singleThreadedRuns, int sessions, int delay)
    {
        const int Callers = 64;
        const int Each = 40;
        using var host = new QueueHost(new(multiThreadedRuns: sessions, singleThreadedRuns: singleThreadedRuns) { Takes = static _ => 1 }, TimeSpan.FromMilliseconds(delay));
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

        var ran = host.Session.Runs.SelectMany(run => run).ToList();
        Assert.Equal(ran.Count, ran.Distinct().Count());
        // Cancelled items may have run, but no other item is missing.
        Assert.Empty(answers.SelectMany(values => values).Except(ran));
        Assert.InRange(answers.Sum(values => values.Count), Callers * Each / 2, Callers * Each);
        Assert.Equal(singleThreadedRuns > 0, host.Session.Slots.Exists(slot => slot >= sessions));
    }
}
