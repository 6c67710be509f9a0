using Embeddings.Core.Batching;
using Embeddings.Primitives;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Batching;

public sealed class BatchQueueTests : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    private readonly QueueHost _host = new(new());
    private readonly FakeSession _session;
    private readonly BatchQueue _queue;

    public BatchQueueTests() => (_session, _queue) = (_host.Session, _host.Queue);

    public void Dispose() => _host.Dispose();

    [Fact]
    public async Task An_item_alone_runs_at_once_in_a_batch_of_one()
    {
        var result = await Embed(7).WaitAsync(Soon);
        Assert.Equal([7, 8], result.Vector);
        Assert.Equal(1, result.BatchSize);
    }

    [Fact]
    public async Task A_batch_forms_while_the_one_before_it_runs()
    {
        var (held, items) = await HoldAndQueue(1, 2, 3);
        _session.Resume();

        Assert.Equal(1, (await held.WaitAsync(Soon)).BatchSize);
        foreach (var item in items)
        {
            Assert.Equal(3, (await item.WaitAsync(Soon)).BatchSize);
        }
        Assert.Equal([[100], [1, 2, 3]], _session.Runs);
    }

    [Fact]
    public async Task Batches_never_exceed_the_models_maximum_and_keep_the_order()
    {
        var (_, items) = await HoldAndQueue([.. Enumerable.Range(1, 8).Select(i => (float)i)]);
        _session.Resume();

        var results = await Task.WhenAll(items).WaitAsync(Soon);
        Assert.Equal(Enumerable.Range(1, 8).Select(i => (float)i), results.Select(result => result.Vector[0]));
        Assert.Equal([[100], [1, 2, 3, 4], [5, 6, 7, 8]], _session.Runs);
    }

    [Fact]
    public async Task Tensors_are_bounded_and_more_callers_wait_their_turn()
    {
        _session.Pause();
        // Room for three batches of four: one runs with a single item, so that nine places are left.
        var items = Enumerable.Range(0, 100).Select(i => Embed(i)).ToList();
        await Task.Delay(50);
        Assert.All(items, item => Assert.False(item.IsCompleted));
        _session.Resume();

        var results = await Task.WhenAll(items).WaitAsync(Soon);
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (float)i), results.Select(result => result.Vector[0]));
        Assert.InRange(_session.TensorsCreated, 1, 3);
    }

    [Fact]
    public async Task A_poisoned_item_fails_alone()
    {
        var (_, items) = await HoldAndQueue(1, FakeSession.Poison, 3);
        _session.Resume();

        Assert.Equal(1, (await items[0].WaitAsync(Soon)).Vector[0]);
        var fault = await Assert.ThrowsAsync<Fault>(() => items[1].WaitAsync(Soon));
        Assert.Equal((FaultKind.Internal, Reasons.InferenceFailed), (fault.Kind, fault.Reason));
        Assert.Equal(3, (await items[2].WaitAsync(Soon)).Vector[0]);
        // The runs: the batch, then each item alone.
        Assert.Equal([[100], [1, FakeSession.Poison, 3], [1], [FakeSession.Poison], [3]], _session.Runs);
        Assert.Equal(1, (await items[0]).BatchSize);
    }

    [Fact]
    public async Task Cancelled_and_abandoned_items_do_not_run()
    {
        using var cancellation = new CancellationTokenSource();
        var held = await Hold();
        var first = Embed(1, cancellation.Token);
        (await _queue.ReserveAsync(QueueHost.Owner, default)).Abandon();
        var second = Embed(2);
        var third = Embed(3, cancellation.Token);
        await cancellation.CancelAsync();
        _session.Resume();

        Assert.Equal(2, (await second.WaitAsync(Soon)).Vector[0]);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first.WaitAsync(Soon));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => third.WaitAsync(Soon));
        await held.WaitAsync(Soon);
        Assert.Equal([[100], [2]], _session.Runs);
    }

    [Fact]
    public async Task A_cancelled_wait_for_a_place_leaves_the_other_callers_theirs()
    {
        await Hold();
        var places = Enumerable.Range(0, 8).Select(i => Embed(i)).ToList();
        using var cancellation = new CancellationTokenSource();
        var given = _queue.ReserveAsync(QueueHost.Owner, cancellation.Token).AsTask();
        var patient = Embed(50);
        Assert.False(given.IsCompleted);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given.WaitAsync(Soon));
        _session.Resume();
        Assert.Equal(50, (await patient.WaitAsync(Soon)).Vector[0]);
        await Task.WhenAll(places).WaitAsync(Soon);
    }

    [Fact]
    public async Task A_batch_waits_for_inputs_that_are_still_being_written()
    {
        var held = await Hold();
        var slow = await _queue.ReserveAsync(QueueHost.Owner, default);
        var quick = Embed(2);
        _session.Resume();
        await held.WaitAsync(Soon);
        await Task.Delay(50);
        Assert.False(quick.IsCompleted);
        slow.Tensor[0] = 1;
        var slowResult = slow.Commit(default);
        Assert.Equal(2, (await quick.WaitAsync(Soon)).BatchSize);
        Assert.Equal(1, (await slowResult.WaitAsync(Soon)).Vector[0]);
    }

    [Fact]
    public async Task Stopping_fails_waiting_items_and_refuses_new_ones()
    {
        var held = await Hold();
        var waiting = Embed(1);
        var stopping = Task.Run(_host.Runner.Dispose);
        var fault = await Assert.ThrowsAsync<Fault>(() => waiting.WaitAsync(Soon));
        Assert.Equal(FaultKind.Unavailable, fault.Kind);
        await Assert.ThrowsAsync<Fault>(() => Embed(2).WaitAsync(Soon));
        _session.Resume();
        await held.WaitAsync(Soon);
        await stopping.WaitAsync(Soon);
    }

    [Fact]
    public async Task A_tensor_is_freed_after_the_last_input_that_is_being_written()
    {
        var places = await _host.Places(2);
        _host.Dispose();
        places[0].Tensor[0] = 1;
        _ = places[0].Commit(default);
        places[1].Tensor[0] = 1;
        places[1].Abandon();
        Assert.Throws<ObjectDisposedException>(() => places[0].Tensor[0]);
    }

    [Fact]
    public async Task A_second_disposal_during_the_first_waits_and_leaves_the_session_alone()
    {
        using var begun = new ManualResetEventSlim();
        using var end = new ManualResetEventSlim();
        _session.Disposing = () =>
        {
            begun.Set();
            end.Wait(Soon);
        };
        var first = Task.Run(_host.Dispose);
        Assert.True(begun.Wait(Soon));
        var second = Task.Run(_host.Dispose);
        Assert.NotSame(second, await Task.WhenAny(second, Task.Delay(50)));
        end.Set();
        await Task.WhenAll(first, second).WaitAsync(Soon);
        Assert.Equal(1, _session.Disposals);
    }

    [Fact]
    public async Task With_a_delay_a_batch_waits_for_more_items_but_not_when_full()
    {
        using var host = new QueueHost(new(maxBatch: 2), TimeSpan.FromSeconds(1));
        var first = host.Embed(1);
        var second = host.Embed(2);
        Assert.Equal(2, (await first.WaitAsync(Soon)).BatchSize);
        Assert.Equal(2, (await second.WaitAsync(Soon)).BatchSize);
        // Alone, it runs once the delay is over.
        Assert.Equal(1, (await host.Embed(3).WaitAsync(Soon)).BatchSize);
    }

    private Task<BatchResult> Embed(float value, CancellationToken cancellationToken = default) => _host.Embed(value, cancellationToken);

    /// <summary>An item that keeps the session busy.</summary>
    private async Task<Task<BatchResult>> Hold()
    {
        _session.Pause();
        var held = Embed(100);
        // Once taken, the batch takes no more items: the next ones go into another.
        await _host.UntilRunning([0]);
        return held;
    }

    private async Task<(Task<BatchResult> Held, List<Task<BatchResult>> Items)> HoldAndQueue(params float[] values)
    {
        var held = await Hold();
        return (held, values.Select(value => Embed(value)).ToList());
    }
}
