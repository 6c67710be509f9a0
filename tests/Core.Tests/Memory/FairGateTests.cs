using Embeddings.Core.Memory;

namespace Embeddings.Core.Tests.Memory;

public sealed class FairGateTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Fact]
    public void Slots_and_bytes_are_both_bounded()
    {
        var gate = new FairGate(slots: 2, capacity: 100);
        Assert.True(gate.TryEnter(Small(60)));
        Assert.False(gate.TryEnter(Small(60)));
        Assert.True(gate.TryEnter(Small(40)));
        Assert.False(gate.TryEnter(Small(0)));
        gate.Exit(Small(60));
        Assert.True(gate.TryEnter(Small(60)));
        Assert.Equal(100, gate.Used);
    }

    [Fact]
    public void Large_work_leaves_a_quarter_of_the_bytes_and_half_of_the_slots()
    {
        var bytes = new FairGate(10, 100);
        Assert.Equal(75, bytes.Largest);
        Assert.True(bytes.TryEnter(Large(40)));
        Assert.False(bytes.TryEnter(Large(40)));
        Assert.True(bytes.TryEnter(Large(35)));
        Assert.True(bytes.TryEnter(Small(25)));
        Assert.False(bytes.TryEnter(Small(1)));

        var slots = new FairGate(2, 100);
        Assert.True(slots.TryEnter(Large(1)));
        Assert.False(slots.TryEnter(Large(1)));
        Assert.True(slots.TryEnter(Small(1)));
    }

    [Fact]
    public async Task A_caller_with_one_item_does_not_wait_for_the_many_items_of_another()
    {
        var gate = new FairGate(1, 1000);
        Assert.True(gate.TryEnter(Small(1)));
        (string Caller, long Work)[] items = [("many", 10), ("many", 10), ("many", 10), ("one", 10), ("tiny", 1)];
        var waiting = items.Select(item => (item.Caller, Task: gate.EnterAsync(new(1, item.Work, false), item.Caller, default).AsTask())).ToList();
        var order = new List<string>();
        while (waiting.Count > 0)
        {
            gate.Exit(Small(1));
            var admitted = await Task.WhenAny(waiting.Select(item => item.Task)).WaitAsync(Limit, TestContext.Current.CancellationToken);
            var index = waiting.FindIndex(item => item.Task == admitted);
            order.Add(waiting[index].Caller);
            waiting.RemoveAt(index);
        }
        Assert.Equal(["tiny", "many", "one", "many", "many"], order);
    }

    [Fact]
    public async Task Small_work_goes_past_large_work_that_waits_and_does_not_keep_it_out()
    {
        var gate = new FairGate(100, 100);
        Assert.True(gate.TryEnter(Large(75)));
        var large = gate.EnterAsync(Large(75), "a", default).AsTask();
        Assert.True(gate.TryEnter(Small(10)));
        Assert.True(gate.TryEnter(Small(15)));
        // More would take the bytes that the large work needs.
        gate.Exit(Large(75));
        await large.WaitAsync(Limit, TestContext.Current.CancellationToken);
        Assert.False(gate.TryEnter(Small(1)));
    }

    [Fact]
    public async Task A_large_charge_is_admitted_alone_when_the_capacity_has_shrunk()
    {
        var gate = new FairGate(100, 100);
        gate.Resize(20);
        Assert.True(gate.TryEnter(Large(70)));
        var next = gate.EnterAsync(Large(70), "a", default).AsTask();
        Assert.False(next.IsCompleted);
        gate.Exit(Large(70));
        await next.WaitAsync(Limit, TestContext.Current.CancellationToken);
        Assert.Equal(75, gate.Largest);
    }

    [Fact]
    public async Task A_waiter_that_gives_up_is_gone_and_lets_those_behind_it_in()
    {
        var gate = new FairGate(10, 100);
        Assert.True(gate.TryEnter(Small(50)));
        using var cancellation = new CancellationTokenSource();
        var first = gate.EnterAsync(Small(100), "a", cancellation.Token).AsTask();
        var second = gate.EnterAsync(Small(50), "a", default).AsTask();
        Assert.Equal(2, gate.Waiting);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await second.WaitAsync(Limit, TestContext.Current.CancellationToken);
        Assert.Equal(0, gate.Waiting);
        Assert.Equal(100, gate.Used);
    }

    [Fact]
    public void A_charge_grows_only_if_there_is_room()
    {
        var gate = new FairGate(10, 100);
        var (one, two) = (Small(40), Small(40));
        Assert.True(gate.TryEnter(one));
        Assert.True(gate.TryEnter(two));
        Assert.False(gate.TryResize(ref one, 70));
        Assert.True(gate.TryResize(ref two, 10));
        Assert.True(gate.TryResize(ref one, 70));
        gate.Exit(one);
        gate.Exit(two);
        Assert.Equal(0, gate.Used);
    }

    [Fact]
    public async Task Work_that_cannot_wait_is_admitted_on_top_of_a_full_gate_once_for_each_caller()
    {
        var gate = new FairGate(10, 80);
        Assert.True(gate.TryEnter(Small(80)));
        var flood = gate.EnterAsync(Small(10), "a", default).AsTask();
        var (b, again, c, d) = (Small(4), Small(1), Large(4), Small(4));
        Assert.True(gate.TryEnter(ref b, "b"));
        Assert.False(gate.TryEnter(ref again, "b"));
        Assert.True(gate.TryEnter(ref c, "c"));
        Assert.False(gate.TryEnter(ref d, "d"));
        Assert.False(gate.TryResize(ref c, 8));
        Assert.True(gate.TryResize(ref c, 6));
        Assert.Equal(90, gate.Used);

        gate.Exit(b);
        Assert.False(flood.IsCompleted);
        Assert.True(gate.TryEnter(ref d, "d"));
        gate.Exit(c);
        gate.Exit(d);
        gate.Exit(Small(80));
        await flood.WaitAsync(Limit, TestContext.Current.CancellationToken);
        Assert.Equal(10, gate.Used);
    }

    [Fact]
    public async Task Nothing_is_lost_under_contention()
    {
        var gate = new FairGate(3, 1000);
        var inside = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(async () =>
        {
            var random = new Random(worker);
            for (var i = 0; i < 500; i++)
            {
                using var cancellation = new CancellationTokenSource();
                var charge = new Charge(random.Next(600), random.Next(1, 100), random.Next(2) == 0);
                var entering = gate.EnterAsync(charge, worker % 3, cancellation.Token);
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
                gate.Exit(charge);
            }
        }))).WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        Assert.Equal((0, 0), (gate.Used, gate.Waiting));
        Assert.True(gate.TryEnter(Small(1000)));
    }

    private static Charge Small(long bytes) => new(bytes, 1, false);

    private static Charge Large(long bytes) => new(bytes, 1, true);
}
