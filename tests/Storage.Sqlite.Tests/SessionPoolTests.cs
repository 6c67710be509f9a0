using Embeddings.Testing;
using Embeddings.Testing.Stores;

namespace Embeddings.Storage.Sqlite.Tests;

/// <summary>Reads whose callers have gone are interrupted, wherever they are, and delay no other caller.</summary>
public sealed class SessionPoolTests : IDisposable
{
    // Ends only if it is interrupted.
    private const string Endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";
    private const int Size = 2;

    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);
    private readonly TempFolder _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_running_statement_is_interrupted()
    {
        await using var pool = Pool();
        using var gone = new CancellationTokenSource();
        var running = new TaskCompletionSource();
        var read = pool.RunAsync(
            session =>
            {
                running.SetResult();
                return session.Scalar(Endless);
            },
            gone.Token);
        await running.Task.WaitAsync(Limit);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.WaitAsync(Limit));
    }

    [Fact]
    public async Task A_cancellation_between_two_statements_interrupts_the_next_one()
    {
        await using var pool = Pool();
        using var gone = new CancellationTokenSource();
        var read = pool.RunAsync(
            session =>
            {
                session.Scalar("SELECT 1");
                gone.Cancel();
                return session.Scalar(Endless);
            },
            gone.Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.WaitAsync(Limit));
    }

    [Fact]
    public async Task A_hundred_endless_reads_with_deadlines_end_and_leave_their_sessions_usable()
    {
        await using var pool = Pool();
        var deadlines = Enumerable.Range(0, 100).Select(_ => new CancellationTokenSource(TimeSpan.FromMilliseconds(30))).ToList();
        var reads = deadlines.Select(deadline => pool.RunAsync(session => session.Scalar(Endless), deadline.Token)).ToList();
        foreach (var read in reads)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.WaitAsync(Limit));
        }

        var sessions = await Task.WhenAll(Enumerable.Range(0, Size).Select(i => pool.RunAsync(session => (long)session.Scalar("SELECT $1", i)!, None)));
        Assert.Equal([0L, 1L], sessions);
        deadlines.ForEach(deadline => deadline.Dispose());
    }

    [Fact]
    public async Task Reads_block_no_thread_of_the_thread_pool()
    {
        await using var pool = Pool();
        Assert.False(await pool.RunAsync(_ => Thread.CurrentThread.IsThreadPoolThread, None));
    }

    [Fact]
    public async Task Lookups_do_not_wait_for_scans()
    {
        await using (var store = await EmbeddedStores.StartAsync(_directory.Path))
        {
            await store.EnsureCollectionAsync(new("c", 2, null), None);
            await store.UpsertAsync("c", [VectorStoreContract.Point("p", [1, 0])], None);
        }

        var options = new EmbeddedStoreOptions { Directory = _directory.Path, MaxConcurrentReads = Size };
        await using var engine = EmbeddedEngine.Open(options, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, None);
        using var end = new CancellationTokenSource();
        var scans = Enumerable.Range(0, 10).Select(_ => engine.Readers.RunAsync(session => session.Scalar(Endless), end.Token)).ToList();
        var index = engine.Catalog.Require("c");
        var found = await engine.Lookups.RunAsync(session => PointQueries.Find(session, index, "p"), None).WaitAsync(Limit);
        Assert.Equal("p", found?.Id);
        Assert.All(scans, scan => Assert.False(scan.IsCompleted));
        await end.CancelAsync();
        await Task.WhenAll(scans.Select(scan => Assert.ThrowsAnyAsync<OperationCanceledException>(() => scan.WaitAsync(Limit))));
    }

    private SessionPool Pool() => new(() => SqliteSchema.Open(_directory.Path, readOnly: true), Size);
}
