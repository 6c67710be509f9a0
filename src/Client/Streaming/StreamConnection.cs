using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Client.Streaming;

/// <summary>
/// One call of a stream, with a separate writer task. A single loop that alternates between writing and reading would
/// wait one round trip per item.
/// </summary>
internal sealed class StreamConnection<TRequest, TResponse> : IAsyncDisposable
    where TRequest : class, IMessage<TRequest>, IStreamMessage<TRequest>, new()
    where TResponse : class, IMessage<TResponse>, IStreamMessage<TResponse>
{
    // If a write fails, the call has ended and its status normally follows. If the status does not arrive in time, the
    // call is canceled.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _stop;
    private readonly AsyncDuplexStreamingCall<TRequest, TResponse> _call;
    private readonly Task _writing;

    public StreamConnection(
        StreamRpc<TRequest, TResponse> rpc, InFlight<TRequest> items, CancellationToken cancellationToken)
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

    /// <summary>Response read by the last call of <see cref="ReadAsync"/>.</summary>
    public TResponse Current => _call.ResponseStream.Current;

    /// <summary>Error that ended the call, or null if the server completed it normally.</summary>
    public RpcException? Failure { get; private set; }

    /// <summary>Exception of the writer that was not caused by the end of the call, or null.</summary>
    public Exception? WriteFailure { get; private set; }

    /// <summary>
    /// Reads the next response. Returns false if the call has ended. Takes no token, because the call already has it.
    /// </summary>
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

    /// <summary>Cancels the call if it has not ended, and waits for the writer.</summary>
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
            // Expected: the reader has canceled the call.
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

/// <summary>Describes a streaming RPC.</summary>
/// <param name="Open">Method of the generated stub.</param>
/// <param name="RequestId">Returns the item id of a request.</param>
/// <param name="ResponseId">Returns the item id of a response.</param>
internal sealed record StreamRpc<TRequest, TResponse>(
    Func<CallOptions, AsyncDuplexStreamingCall<TRequest, TResponse>> Open,
    Func<TRequest, string> RequestId,
    Func<TResponse, string> ResponseId)
    where TRequest : class, IMessage<TRequest>, IStreamMessage<TRequest>, new()
    where TResponse : class, IMessage<TResponse>, IStreamMessage<TResponse>
{
    /// <summary>Name of the RPC, used in messages.</summary>
    public string Name => Open.Method.Name;
}
