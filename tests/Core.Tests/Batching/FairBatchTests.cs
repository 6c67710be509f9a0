using Embeddings.Core.Batching;

namespace Embeddings.Core.Tests.Batching;

/// <summary>The order in which the items of several callers run. Batches have four places.</summary>
public sealed class FairBatchTests : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    private readonly QueueHost _host = new(new());
    private readonly FakeSession _session;

    public FairBatchTests() => _session = _host.Session;

    public void Dispose() => _host.Dispose();

    [Fact]
    public async Task The_item_of_another_caller_is_in_the_next_batch_though_a_flood_waits()
    {
        var flood = await FloodAsync(40);
        var other = _host.Embed(-1, owner: "b");
        _session.Resume();
        await Task.WhenAll([.. flood, other]).WaitAsync(Soon);
        Assert.Equal([[0], [-1], [1, 2, 3, 4]], _session.Runs.Take(3));
    }

    [Fact]
    public async Task Several_other_callers_share_the_next_batch()
    {
        var flood = await FloodAsync(40);
        List<Task<BatchResult>> others = [_host.Embed(-1, owner: "b"), _host.Embed(-2, owner: "c"), _host.Embed(-3, owner: "d")];
        _session.Resume();
        await Task.WhenAll([.. flood, .. others]).WaitAsync(Soon);
        Assert.Equal([[0], [-1, -2, -3], [1, 2, 3, 4]], _session.Runs.Take(3));
    }

    [Fact]
    public async Task A_second_flood_does_not_keep_the_first_out()
    {
        var first = await FloodAsync(24);
        var second = Enumerable.Range(1, 24).Select(i => _host.Embed(-100 - i, owner: "b")).ToList();
        _session.Resume();
        await Task.WhenAll([.. first, .. second]).WaitAsync(Soon);

        // Those of the first that had their places run after one batch of the second; then both take turns.
        Assert.Equal([[0], [-101, -102, -103, -104], [1, 2, 3, 4]], _session.Runs.Take(3));
        var order = _session.Runs.SelectMany(static run => run).ToList();
        for (var items = 16; items <= 40; items += 8)
        {
            Assert.InRange(order.Take(items).Count(static value => value < 0), (items / 2) - 8, (items / 2) + 8);
        }
        Assert.Equal(Enumerable.Range(0, 24).Select(i => (float)i), order.Where(static value => value >= 0));
        Assert.Equal(Enumerable.Range(1, 24).Select(i => -100 - (float)i), order.Where(static value => value < 0));
    }

    [Fact]
    public async Task Callers_that_come_again_and_again_let_a_batch_of_the_flood_go_between()
    {
        var flood = await FloodAsync(12);
        var waiting = _host.Embed(-1, owner: "b");
        var again = Task.Run(async () =>
        {
            await waiting;
            for (var i = 2; i <= 5; i++)
            {
                await _host.Embed(-i, owner: "b");
            }
        });
        _session.Resume();
        await Task.WhenAll([.. flood, again]).WaitAsync(Soon);
        var order = _session.Runs.Select(static run => run[0] < 0).ToList();
        for (var i = 1; i < order.Count && _session.Runs.Skip(i).Any(static run => run[0] >= 0); i++)
        {
            Assert.False(order[i] && order[i - 1], "Two express batches ran one after the other while others waited.");
        }
    }

    [Fact]
    public async Task Callers_with_one_item_each_run_in_the_order_in_which_they_came()
    {
        _session.Pause();
        var held = _host.Embed(0, owner: "held");
        await _host.UntilRunning(1);
        var items = Enumerable.Range(1, 30).Select(i => _host.Embed(i, owner: $"{i}")).ToList();
        _session.Resume();
        await Task.WhenAll([held, .. items]).WaitAsync(Soon);
        Assert.Equal(Enumerable.Range(0, 31).Select(i => (float)i), _session.Runs.SelectMany(static run => run));
        Assert.InRange(_session.TensorsCreated, 1, 3);
    }

    [Fact]
    public async Task An_express_batch_needs_one_tensor_more_and_no_others()
    {
        for (var round = 0; round < 5; round++)
        {
            var flood = await FloodAsync(40);
            var others = Enumerable.Range(0, 20).Select(i => _host.Embed(-100 - i, owner: $"{i}")).ToList();
            _session.Resume();
            await Task.WhenAll([.. flood, .. others]).WaitAsync(Soon);
        }
        Assert.InRange(_session.TensorsCreated, 1, 4);
    }

    [Fact]
    public async Task Items_that_wait_fail_when_the_queue_stops()
    {
        var flood = await FloodAsync(20);
        var other = _host.Embed(-1, owner: "b");
        var stopping = Task.Run(_host.Runner.Dispose);
        await Assert.ThrowsAsync<Primitives.Fault>(() => other.WaitAsync(Soon));
        _session.Resume();
        await stopping.WaitAsync(Soon);
        await Task.WhenAll(flood).ContinueWith(static _ => { }, TaskScheduler.Default).WaitAsync(Soon);
        Assert.All(flood, static item => Assert.True(item.IsCompleted));
    }

    // The first item runs, all others wait.
    private async Task<List<Task<BatchResult>>> FloodAsync(int count)
    {
        _session.Pause();
        List<Task<BatchResult>> items = [_host.Embed(0, owner: "a")];
        await _host.UntilRunning(1);
        items.AddRange(Enumerable.Range(1, count - 1).Select(i => _host.Embed(i, owner: "a")));
        return items;
    }
}
