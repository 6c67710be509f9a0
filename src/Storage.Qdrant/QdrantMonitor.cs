using Grpc.Core;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Looks in the background whether Qdrant is there and takes our key, so that health is answered at once and recovery is noticed without traffic.
/// </summary>
internal sealed class QdrantMonitor(QdrantConnection connection, QdrantStoreOptions options, TimeProvider time, ILogger log) : IAsyncDisposable
{
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestPauseWhileDown = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(100);

    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _probed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _doubt = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? _reason = "Qdrant was not asked yet";
    private Task _loop = Task.CompletedTask;

    /// <summary>Null while Qdrant answers, else why it does not.</summary>
    public string? Reason => Volatile.Read(ref _reason);

    /// <summary>Begins to look, and waits for the first answer.</summary>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _loop = LoopAsync();
        return _probed.Task.WaitAsync(cancellationToken);
    }

    /// <summary>A call failed in a way that says Qdrant may be down: look soon.</summary>
    public void Doubt() => Volatile.Read(ref _doubt).TrySetResult();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    private async Task LoopAsync()
    {
        try
        {
            while (true)
            {
                Volatile.Write(ref _doubt, new(TaskCreationOptions.RunContinuationsAsynchronously));
                Set(await ProbeAsync());
                _probed.TrySetResult();
                await Task.Delay(ShortestPause, time, _stop.Token);
                await Task.WhenAny(Task.Delay(Pause(), time, _stop.Token), _doubt.Task);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
    }

    private TimeSpan Pause()
    {
        var pause = TimeSpan.FromSeconds(options.ProbeSeconds);
        return Reason is not null && pause > LongestPauseWhileDown ? LongestPauseWhileDown : pause;
    }

    private async Task<string?> ProbeAsync()
    {
        try
        {
            // Not the health service: that answers without a key, and then every call would fail on a store that is said to be healthy.
            var call = new CallOptions(deadline: time.GetUtcNow().UtcDateTime + ProbeTimeout, cancellationToken: _stop.Token);
            await connection.Client.Collections.ListAsync(new(), call);
            return null;
        }
        catch (RpcException e)
        {
            _stop.Token.ThrowIfCancellationRequested();
            return QdrantFaults.Describe(e, connection.Address);
        }
    }

    private void Set(string? reason)
    {
        var before = Interlocked.Exchange(ref _reason, reason);
        if (reason is null && before is not null)
        {
            log.QdrantReady(connection.Address.Authority);
        }
        else if (reason is not null && reason != before)
        {
            log.QdrantNotReady(reason);
        }
    }
}
