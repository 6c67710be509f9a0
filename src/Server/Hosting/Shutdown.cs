namespace Embeddings.Server.Hosting;

/// <summary>
/// The phases of a shutdown: 1. The server reports that it is not ready and still serves calls, so that load balancers
/// can send theirs elsewhere. 2. Streams end, clients get GOAWAY, and calls that have begun are completed. 3.
/// Connections that are still open are aborted, so that no client delays the end of the process.
/// </summary>
internal sealed class Shutdown(ServerOptions options, TimeProvider time, ILogger<Shutdown> log)
    : IHostedLifecycleService, IDisposable
{
    private readonly CancellationTokenSource _ending = new();
    private readonly CancellationTokenSource _expired = new(Timeout.InfiniteTimeSpan, time);
    private int _begun;

    /// <summary>True from the start of the first phase.</summary>
    public bool HasBegun => Volatile.Read(ref _begun) != 0;

    /// <summary>Canceled at the start of the second phase.</summary>
    public CancellationToken Ending => _ending.Token;

    /// <summary>Canceled at the start of the third phase.</summary>
    public CancellationToken Expired => _expired.Token;

    // The host calls this before it stops the web server, and once more if it is stopped twice.
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        var drained = Task.Delay(TimeSpan.FromSeconds(options.DrainSeconds), time, cancellationToken);
        if (Interlocked.Exchange(ref _begun, 1) != 0)
        {
            return;
        }
        if (options.DrainSeconds > 0)
        {
            ServerLog.DrainBegan(log, options.DrainSeconds);
            await drained.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        var limit = TimeSpan.FromSeconds(options.ShutdownSeconds * 0.8);
        _expired.Token.UnsafeRegister(_ => ServerLog.ConnectionsClosed(log, limit.TotalSeconds), null);
        _expired.CancelAfter(limit);
        await _ending.CancelAsync();
    }

    // The web server has closed all connections.
    public Task StoppedAsync(CancellationToken cancellationToken)
    {
        _expired.CancelAfter(Timeout.InfiniteTimeSpan);
        return Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        _ending.Dispose();
        _expired.Dispose();
    }
}
