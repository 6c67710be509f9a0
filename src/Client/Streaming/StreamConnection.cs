using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Client.Streaming;

/// <summary>
/// One call of a stream: a writer of its own beside the reader, since a loop that writes one and reads one would stand still for each round trip.
/// </summary>
internal sealed class StreamConnection<TRequest, TResponse> : IAsyncDisposable
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    // A write that fails means that the call has ended; its status is about to arrive. Should it not, the call is given up.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _stop;
    private readonly AsyncDuplexStreamingCall<TRequest, TResponse> _call;
    private readonly Task _writing;

    public StreamConnection(StreamRpc<TRequest, TResponse> rpc, InFlight<TRequest> items, CancellationToken cancellationToken)
    {
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            _call = rpc.Open(new CallOptions(cancellationToken: _stop.Token));
        }
        catch
        {
            _stop.Dispose();
            throw;
        }

        _writing = Task.Run(() => WriteAsync(items), CancellationToken.None);
    }

    /// <summary>The answer that <see cref="ReadAsync"/> found.</summary>
    public TResponse Current => _call.ResponseStream.Current;

    /// <summary>Why the call ended; null where the server ended it in order.</summary>
    public RpcException? Failure { get; private set; }

    /// <summary>What the writer met, other than the end of the call.</summary>
    public Exception? WriteFailure { get; private set; }

    /// <summary>The next answer, or false where the call has ended. The call itself has the caller's token: one for each read would only cost.</summary>
    public async ValueTask<bool> ReadAsync()
    {
        try
        {
            return await _call.ResponseStream.MoveNext(CancellationToken.None).ConfigureAwait(false);
        }
        catch (RpcException error)
        {
            Failure = error;
            return false;
        }
    }

    /// <summary>Ends the call if it has not, and waits for the writer.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _call.Dispose();
        await _writing.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task WriteAsync(InFlight<TRequest> items)
    {
        try
        {
            await items.SendAsync(_call.RequestStream, _stop.Token).ConfigureAwait(false);
        }
        catch (Exception) when (_stop.IsCancellationRequested)
        {
            // Expected: the reader has ended the call.
        }
        catch (Exception error) when (error is RpcException or InvalidOperationException or IOException)
        {
            _stop.CancelAfter(Grace);
        }
        catch (Exception error)
        {
            WriteFailure = error;
            await _stop.CancelAsync().ConfigureAwait(false);
        }
    }
}
