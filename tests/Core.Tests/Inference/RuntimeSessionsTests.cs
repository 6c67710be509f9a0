using System.Collections.Concurrent;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing;
using Embeddings.Testing.Models;
using Microsoft.ML.OnnxRuntime;

namespace Embeddings.Core.Tests.Inference;

public sealed class RuntimeSessionsTests : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    private readonly TemporaryModels _models = new();

    public void Dispose() => _models.Dispose();

    [Fact]
    public async Task Single_threaded_runs_use_the_first_session_until_their_own_is_open()
    {
        using var sessions = Open();
        InferenceSession? used = null;
        Assert.True(sessions.Opened.IsCompleted);
        await Hold(sessions, 1, session => used = session);
        Assert.Same(sessions.First, used);

        await sessions.Opened;
        Assert.Null(sessions.Failure);
        await Hold(sessions, 1, session => used = session);
        Assert.NotSame(sessions.First, used);
    }

    [Fact]
    public async Task A_session_that_cannot_be_opened_leaves_its_runs_on_the_first_one()
    {
        using var sessions = Open(out var file);
        File.Delete(file);
        await Hold(sessions, 1, static _ => { });
        await sessions.Opened;
        Assert.Contains("single-threaded", sessions.Failure, StringComparison.Ordinal);
        InferenceSession? used = null;
        await Hold(sessions, 1, session => used = session);
        Assert.Same(sessions.First, used);
    }

    [Fact]
    public async Task Single_threaded_runs_run_concurrently_in_one_session_of_their_own()
    {
        using var sessions = Open();
        await Hold(sessions, 1, static _ => { });
        await sessions.Opened;
        var used = new ConcurrentDictionary<int, InferenceSession>();
        using var all = new Barrier(4);
        // The barrier opens only if all four runs are in progress at the same time.
        await Task.WhenAll(Enumerable.Range(0, 4).Select(slot => Hold(sessions, slot, session =>
        {
            used[slot] = session;
            Assert.True(all.SignalAndWait(Soon));
        })));
        Assert.Same(used[1], used[2]);
        Assert.Same(used[1], used[3]);
        Assert.NotSame(used[0], used[1]);
        Assert.Same(sessions.First, used[0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => sessions.Use(4, 0, static (_, _, _) => { }));
    }

    [Fact]
    public async Task Disposal_waits_for_every_single_threaded_run()
    {
        var sessions = Open();
        using var begun = new CountdownEvent(2);
        using var first = new ManualResetEventSlim();
        using var second = new ManualResetEventSlim();
        // Not in the order of the slots: the one that ends last is not the last of them.
        var runs = new[] { (Slot: 2, Gate: first), (Slot: 1, Gate: second) }.Select(run => Hold(sessions, run.Slot, session =>
        {
            begun.Signal();
            run.Gate.Wait();
            // Its memory is still there.
            Assert.Single(session.InputMetadata);
        })).ToList();
        Assert.True(begun.Wait(Soon));
        var disposing = Task.Run(sessions.Dispose);
        first.Set();
        await runs[0].WaitAsync(Soon);
        await Task.Delay(50);
        Assert.False(disposing.IsCompleted);
        second.Set();
        await runs[1].WaitAsync(Soon);
        await disposing.WaitAsync(Soon);
        foreach (var slot in (int[])[0, 1, 2, 3])
        {
            Assert.Throws<ObjectDisposedException>(() => sessions.Use(slot, 0, static (_, _, _) => { }));
        }
        sessions.Dispose();
    }

    // On a thread of its own, since it blocks.
    private static Task Hold(RuntimeSessions sessions, int slot, Action<InferenceSession> run) => Task.Factory.StartNew(
        () => sessions.Use(slot, run, static (session, _, run) => run(session)), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private RuntimeSessions Open() => Open(out _);

    private RuntimeSessions Open(out string file)
    {
        file = _models.Save(TemporaryModels.ChannelMeans(5, 7), TemporaryModels.Manifest(7, 5, 3));
        return new(file, new(), new(1, 2, SingleThreadedRuns: 3));
    }
}
