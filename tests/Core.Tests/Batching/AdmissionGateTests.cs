using Embeddings.Core.Batching;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Batching;

public sealed class AdmissionGateTests
{
    private const string Owner = "owner";

    [Fact]
    public void Items_and_bytes_are_both_bounded()
    {
        var gate = new AdmissionGate(maxItems: 2, maxBytes: 100);
        Assert.True(gate.TryEnter(Owner, 60));
        Assert.False(gate.TryEnter(Owner, 60));
        Assert.True(gate.TryEnter(Owner, 40));
        Assert.False(gate.TryEnter(Owner, 0));
        gate.Exit(Owner, 60);
        Assert.True(gate.TryEnter(Owner, 60));
        Assert.Equal(2, gate.Items);
    }

    [Fact]
    public void An_item_over_the_limit_is_let_in_alone()
    {
        var gate = new AdmissionGate(2, 100);
        Assert.True(gate.TryEnter(Owner, 1000));
        Assert.False(gate.TryEnter(Owner, 1));
        gate.Exit(Owner, 1000);
        Assert.True(gate.TryEnter(Owner, 1));
        Assert.False(gate.TryEnter(Owner, 1000));
    }

    [Fact]
    public async Task Waiters_come_in_their_order_and_are_not_overtaken()
    {
        var gate = new AdmissionGate(10, 100);
        Assert.True(gate.TryEnter(Owner, 100));
        var large = gate.EnterAsync(Owner, 90, default).AsTask();
        var small = gate.EnterAsync(Owner, 5, default).AsTask();
        Assert.False(gate.TryEnter(Owner, 5));
        gate.Exit(Owner, 100);
        await large.WaitAsync(TimeSpan.FromSeconds(10));
        await small.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(2, gate.Items);
    }

    [Fact]
    public async Task A_waiter_that_gives_up_lets_those_behind_it_in()
    {
        var gate = new AdmissionGate(10, 100);
        Assert.True(gate.TryEnter(Owner, 50));
        using var cancellation = new CancellationTokenSource();
        var large = gate.EnterAsync(Owner, 100, cancellation.Token).AsTask();
        var small = gate.EnterAsync(Owner, 50, default).AsTask();
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => large);
        await small.WaitAsync(TimeSpan.FromSeconds(10));
        gate.Exit(Owner, 50);
        gate.Exit(Owner, 50);
        Assert.Equal(0, gate.Items);
    }

    [Fact]
    public async Task Nothing_is_lost_under_contention()
    {
        var gate = new AdmissionGate(3, 1000);
        var inside = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(async () =>
        {
            var random = new Random(worker);
            for (var i = 0; i < 500; i++)
            {
                using var cancellation = new CancellationTokenSource();
                var bytes = random.Next(600);
                var entering = gate.EnterAsync(Owner, bytes, cancellation.Token);
                if (random.Next(4) == 0)
                {
                    await cancellation.CancelAsync();
                }
                try
                {
                    await entering;
                }
                catch (OperationCanceledException)
                {
                    continue;
                }
                Assert.InRange(Interlocked.Increment(ref inside), 1, 3);
                await Task.Yield();
                Interlocked.Decrement(ref inside);
                gate.Exit(Owner, bytes);
            }
        }))).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(0, gate.Items);
        Assert.True(gate.TryEnter(Owner, 1000));
    }

    [Fact]
    public async Task Callers_that_wait_take_turns()
    {
        var gate = new AdmissionGate(1, 100);
        Assert.True(gate.TryEnter("a", 1));
        var order = new List<string>();
        var waits = new List<Task>();
        foreach (var (owner, name) in (ReadOnlySpan<(string, string)>)[("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("b", "b2"), ("c", "c1")])
        {
            waits.Add(EnterAsync(owner, name));
        }
        gate.Exit("a", 1);
        await Task.WhenAll(waits).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(["a1", "b1", "c1", "a2", "b2", "a3"], order);
        Assert.Equal(0, gate.Items);

        async Task EnterAsync(string owner, string name)
        {
            await gate.EnterAsync(owner, 1, default);
            order.Add(name);
            gate.Exit(owner, 1);
        }
    }

    [Fact]
    public async Task A_caller_with_little_in_flight_enters_a_gate_that_another_caller_fills()
    {
        var gate = new AdmissionGate(64, 6400);
        for (var i = 0; i < 64; i++)
        {
            Assert.True(gate.TryEnter("a", 10));
        }
        Assert.False(gate.TryEnter("a", 10));
        var flood = gate.EnterAsync("a", 10, default).AsTask();

        // An eighth on top of the limit, at most a quarter of it for each caller.
        Assert.True(gate.TryEnter("b", 10));
        await gate.EnterAsync("b", 10, default);
        Assert.False(gate.TryEnter("b", 10));
        Assert.False(gate.TryEnter("c", 6400));
        foreach (var owner in (string[])["c", "d", "e"])
        {
            Assert.True(gate.TryEnter(owner, 10));
            Assert.True(gate.TryEnter(owner, 10));
        }
        Assert.False(gate.TryEnter("f", 10));
        Assert.Equal(72, gate.Items);

        // What is on top is returned before the flood continues.
        for (var i = 0; i < 8; i++)
        {
            gate.Exit("a", 10);
            Assert.False(flood.IsCompleted);
        }
        gate.Exit("a", 10);
        await flood.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void Callers_without_items_are_forgotten()
    {
        var owners = new OwnerTable<QueueOwner>(static key => new(key));
        var busy = owners.Of("busy");
        busy.Places = 1;
        for (var i = 0; i < 10_000; i++)
        {
            owners.Of(i);
        }
        Assert.InRange(owners.Count, 1, 1100);
        Assert.Same(busy, owners.Of("busy"));
    }
}
