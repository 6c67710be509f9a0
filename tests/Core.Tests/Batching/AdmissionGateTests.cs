using Embeddings.Core.Batching;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Batching;

public sealed class AdmissionGateTests
{
    [Fact]
    public void Items_and_bytes_are_both_bounded()
    {
        var gate = new AdmissionGate(maxItems: 2, maxBytes: 100);
        Assert.True(gate.TryEnter(60));
        Assert.False(gate.TryEnter(60));
        Assert.True(gate.TryEnter(40));
        Assert.False(gate.TryEnter(0));
        gate.Exit(60);
        Assert.True(gate.TryEnter(60));
        Assert.Equal(2, gate.Items);
    }

    [Fact]
    public void An_item_over_the_limit_is_let_in_alone()
    {
        var gate = new AdmissionGate(2, 100);
        Assert.True(gate.TryEnter(1000));
        Assert.False(gate.TryEnter(1));
        gate.Exit(1000);
        Assert.True(gate.TryEnter(1));
        Assert.False(gate.TryEnter(1000));
    }

    [Fact]
    public async Task Waiters_come_in_their_order_and_are_not_overtaken()
    {
        var gate = new AdmissionGate(10, 100);
        Assert.True(gate.TryEnter(100));
        var large = gate.EnterAsync(90, default).AsTask();
        var small = gate.EnterAsync(5, default).AsTask();
        Assert.False(gate.TryEnter(5));
        gate.Exit(100);
        await large.WaitAsync(TimeSpan.FromSeconds(10));
        await small.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(2, gate.Items);
    }

    [Fact]
    public async Task A_waiter_that_gives_up_lets_those_behind_it_in()
    {
        var gate = new AdmissionGate(10, 100);
        Assert.True(gate.TryEnter(50));
        using var cancellation = new CancellationTokenSource();
        var large = gate.EnterAsync(100, cancellation.Token).AsTask();
        var small = gate.EnterAsync(50, default).AsTask();
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => large);
        await small.WaitAsync(TimeSpan.FromSeconds(10));
        gate.Exit(50);
        gate.Exit(50);
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
                var entering = gate.EnterAsync(bytes, cancellation.Token);
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
                gate.Exit(bytes);
            }
        }))).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(0, gate.Items);
        Assert.True(gate.TryEnter(1000));
    }
}
