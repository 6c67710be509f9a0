using Grpc.Core;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Probes in the background whether Qdrant is available and accepts the API key, so that health checks return at once
/// and recovery is detected without traffic.
/// </summary>
internal sealed class QdrantMonitor(
    QdrantConnection connection, QdrantStoreOptions options, TimeProvider time, ILogger log) : IAsyncDisposable
{
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan MaxIntervalWhileDown = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MinInterval = TimeSpan.FromMilliseconds(100);

    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _probed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _probeRequest = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? _reason = "Qdrant has not been probed yet.";
    private QdrantNodeChannel? _answered;
    private Task _loop = Task.CompletedTask;

    /// <summary>Null while Qdrant is available; otherwise the reason.</summary>
    public string? Reason => Volatile.Read(ref _reason);

    /// <summary>Starts probing and waits for the first result.</summary>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _loop = LoopAsync();
        return _probed.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Requests an early probe, after a call that failed as if Qdrant were unavailable.</summary>
    public void ProbeSoon() => Volatile.Read(ref _probeRequest).TrySetResult();

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
                Volatile.Write(ref _probeRequest, new(TaskCreationOptions.RunContinuationsAsynchronously));
                Set(await ProbeAsync());
                _probed.TrySetResult();
                await Task.Delay(MinInterval, time, _stop.Token);
                await Task.WhenAny(Task.Delay(Interval(), time, _stop.Token), _probeRequest.Task);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
    }

    private TimeSpan Interval()
    {
        var interval = TimeSpan.FromSeconds(options.ProbeSeconds);
        return Reason is not null && interval > MaxIntervalWhileDown ? MaxIntervalWhileDown : interval;
    }

    /// <summary>Probes the current node, and the others until one answers.</summary>
    private async Task<string?> ProbeAsync()
    {
        string? reason = null;
        for (var i = 0; i < connection.Nodes.Count; i++)
        {
            var node = connection.Current;
            if (await ProbeAsync(node) is not { } failure)
            {
                if (_answered is not null && _answered != node)
                {
                    log.NodeChanged(_answered.Address.Authority, node.Address.Authority);
                }
                _answered = node;
                return null;
            }
            reason ??= failure;
            connection.Leave(node);
        }
        return reason;
    }

    private async Task<string?> ProbeAsync(QdrantNodeChannel node)
    {
        try
        {
            // Not the health service, which needs no API key: with a wrong key, every call would fail although the
            // store is reported healthy.
            var deadline = time.GetUtcNow().UtcDateTime + ProbeTimeout;
            var call = new CallOptions(deadline: deadline, cancellationToken: _stop.Token);
            await node.Client.Collections.ListAsync(new(), call);
            node.HasAnswered = true;
            return null;
        }
        catch (RpcException e)
        {
            _stop.Token.ThrowIfCancellationRequested();
            return QdrantFaults.Describe(e, node);
        }
    }

    private void Set(string? reason)
    {
        var before = Interlocked.Exchange(ref _reason, reason);
        if (reason is null && before is not null)
        {
            log.QdrantReady(connection.Current.Address.Authority);
        }
        else if (reason is not null && reason != before)
        {
            log.QdrantNotReady(reason);
        }
    }
}
