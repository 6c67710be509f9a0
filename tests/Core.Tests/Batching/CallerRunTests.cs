using Embeddings.Core.Batching;
using Embeddings.Primitives;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Batching;

/// <summary>Callers that may run their item on their own thread.</summary>
public sealed class CallerRunTests : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    private readonly QueueHost _host = new(new(multiThreadedRuns: 2));
    private readonly FakeSession _session;
    private readonly BatchRunner _runner;

    public CallerRunTests() => (_session, _runner) = (_host.Session, _host.Runner);

    public void Dispose() => _host.Dispose();

    [Fact]
    public async Task An_item_alone_runs_on_its_callers_thread_and_is_complete_on_return()
    {
        var item = await _host.Reserve(7);
        var thread = Environment.CurrentManagedThreadId;
        var task = _runner.CommitOnCaller(item, default);
        Assert.True(task.IsCompletedSuccessfully);
        Assert.Equal((7f, 1), ((await task).Vector[0], (await task).BatchSize));
        Assert.Equal([thread], _session.Threads);
    }

    [Fact]
    public async Task Items_that_arrive_during_the_run_are_left_to_the_runner()
    {
        _session.Pause();
        var first = await _host.Reserve(1);
        var thread = 0;
        var here = Task.Run(() =>
        {
            thread = Environment.CurrentManagedThreadId;
            return _runner.CommitOnCaller(first, default);
        });
        await _host.UntilRunning([0]);

        // Its callers are not held up.
        var (second, third) = (_runner.CommitOnCaller(await _host.Reserve(2), default), _runner.CommitOnCaller(await _host.Reserve(3), default));
        await _host.UntilRunning([0, 1]);
        _session.Resume();
        await Task.WhenAll(here, second, third).WaitAsync(Soon);
        Assert.Contains(thread, _session.Threads);
        Assert.True(_session.Threads.Count(other => other != thread) >= 1);
        Assert.Equal([1, 2, 3], _session.Runs.SelectMany(run => run).Order());
    }

    [Fact]
    public async Task A_poisoned_item_fails_and_the_next_one_runs()
    {
        var fault = await Assert.ThrowsAsync<Fault>(async () => await _runner.CommitOnCaller(await _host.Reserve(FakeSession.Poison), default).WaitAsync(Soon));
        Assert.Equal(Reasons.InferenceFailed, fault.Reason);
        Assert.Equal(5, (await _runner.CommitOnCaller(await _host.Reserve(5), default).WaitAsync(Soon)).Vector[0]);
    }

    [Fact]
    public async Task A_cancelled_item_does_not_run()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        var item = await _host.Reserve(1);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _runner.CommitOnCaller(item, cancelled.Token).WaitAsync(Soon));
        Assert.Empty(_session.Runs);
    }

    [Fact]
    public async Task Stopping_waits_for_a_run_on_a_callers_thread()
    {
        _session.Pause();
        var item = await _host.Reserve(1);
        var here = Task.Run(() => _runner.CommitOnCaller(item, default));
        await _host.UntilRunning([0]);
        var late = await _host.Reserve(2);
        var stopping = Task.Run(_runner.Dispose);
        Assert.NotSame(stopping, await Task.WhenAny(stopping, Task.Delay(50)));
        _session.Resume();
        await stopping.WaitAsync(Soon);
        Assert.Equal(1, (await here.WaitAsync(Soon)).Vector[0]);
        Assert.Equal(FaultKind.Unavailable, (await Assert.ThrowsAsync<Fault>(() => _runner.CommitOnCaller(late, default).WaitAsync(Soon))).Kind);
    }

    [Fact]
    public async Task A_runner_that_is_disposed_twice_at_once_frees_its_session_once()
    {
        _session.Pause();
        var item = await _host.Reserve(1);
        var here = Task.Run(() => _runner.CommitOnCaller(item, default));
        await _host.UntilRunning([0]);
        Task[] stopping = [Task.Run(_runner.Dispose), Task.Run(_runner.Dispose)];
        _session.Resume();
        await Task.WhenAll(stopping).WaitAsync(Soon);
        await here.WaitAsync(Soon);
        Assert.Equal(1, _session.Disposals);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(8)]
    public async Task Every_item_of_many_callers_is_answered_once(int callers)
    {
        const int Each = 300;
        var answers = await Task.WhenAll(Enumerable.Range(0, callers).Select(caller => Task.Run(async () =>
        {
            var random = new Random(caller);
            var answered = new List<float>();
            for (var i = 0; i < Each; i++)
            {
                var item = await _host.Reserve((caller * Each) + i);
                var task = random.Next(3) == 0 ? item.Commit(default) : _runner.CommitOnCaller(item, default);
                answered.Add((await task.WaitAsync(Soon)).Vector[0]);
                if (random.Next(4) == 0)
                {
                    await Task.Delay(1);
                }
            }
            return answered;
        })));
        Assert.Equal(Enumerable.Range(0, callers * Each).Select(i => (float)i), answers.SelectMany(values => values));
        Assert.Equal(callers * Each, _session.Runs.Sum(run => run.Length));
    }
}
