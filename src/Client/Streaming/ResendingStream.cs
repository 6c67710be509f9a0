using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Embeddings.Client.Calls;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Embeddings.Client.Streaming;

/// <summary>
/// A stream that reconnects if its connection breaks:
/// 1. A task reads the caller's source, keeping the number of items in flight within the limit.
/// 2. The writer of the connection sends the unanswered items, then new ones, several in a message.
/// 3. Each response settles the oldest unanswered items. Its results are checked against them and returned to the caller
///    one by one.
/// 4. If the connection breaks, the stream waits and continues with step 2. Because responses arrive in request order,
///    exactly the unanswered items have to be resent. If there are none, it waits for the next item of the source
///    instead, so that a slow source does not cost attempts.
/// </summary>
/// <remarks>
/// Every end that the service did not state itself is a broken connection, for example a proxy's time limit on idle
/// streams. See <see cref="RetryRules.CanReconnect"/>.
/// </remarks>
internal sealed class ResendingStream<TRequest, TResponse>(
    StreamRpc<TRequest, TResponse> rpc, EmbeddingsClientOptions options, TimeProvider time, ILogger logger)
    where TRequest : class, IMessage<TRequest>, IStreamMessage<TRequest>, new()
    where TResponse : class, IMessage<TResponse>, IStreamMessage<TResponse>
{
    // A source that ignores its cancellation token must not block the end of the stream.
    private static readonly TimeSpan SourceGrace = TimeSpan.FromSeconds(1);

    public async IAsyncEnumerable<TResponse> RunAsync(
        IAsyncEnumerable<TRequest> requests, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var items = new InFlight<TRequest>(options, time, rpc.RequestId);
        var settled = new List<TRequest>();
        RpcException? broken = null;
        var filling = Task.Run(() => items.FillAsync(requests, stop.Token), CancellationToken.None);
        try
        {
            var failures = 1;
            do
            {
                var connection = new StreamConnection<TRequest, TResponse>(rpc, items, stop.Token);
                await using (connection.ConfigureAwait(false))
                {
                    while (await connection.ReadAsync().ConfigureAwait(false))
                    {
                        failures = 1;
                        var response = connection.Current;
                        var count = Math.Max(1, response.Items.Count);
                        items.Settle(count, settled);
                        for (var i = 0; i < count; i++)
                        {
                            var result = response.Items.Count == 0 ? response : response.Items[i];
                            Check(i < settled.Count ? settled[i] : null, result);
                            yield return result;
                        }
                    }
                }

                if (cancellationToken.IsCancellationRequested)
                {
                    throw Canceled(broken, cancellationToken);
                }

                if (IsOver(connection, items, failures))
                {
                    yield break;
                }

                broken = connection.Failure!;
                if (items.IsOwed)
                {
                    await PauseAsync(broken, failures++, cancellationToken).ConfigureAwait(false);
                }
            }
            while (await items.HasWorkAsync(cancellationToken).ConfigureAwait(false));

            ThrowIfFailed(items);
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            var grace = Task.Delay(SourceGrace, TimeProvider.System, CancellationToken.None);
            await Task.WhenAny(filling, grace).ConfigureAwait(false);
        }
    }

    private void Check(TRequest? request, TResponse result)
    {
        var id = rpc.ResponseId(result);
        if (request is null)
        {
            throw Violation($"sent a response for item '{id}', but no item is in flight.");
        }

        if (rpc.RequestId(request) != id)
        {
            // A server of an earlier version sees a message without an id.
            var hint = id.Length == 0 ? " For a server of an earlier version, set MaxItemsPerMessage to 1." : "";
            throw Violation($"sent a response for item '{id}' instead of item '{rpc.RequestId(request)}'.{hint}");
        }
    }

    // Returns true at the end of the stream and false if it must continue over a new connection; throws otherwise.
    private bool IsOver(StreamConnection<TRequest, TResponse> connection, InFlight<TRequest> items, int failures)
    {
        if (connection.WriteFailure is { } writeFailure)
        {
            ExceptionDispatchInfo.Throw(writeFailure);
        }

        var failure = connection.Failure;
        var broken = failure is not null && RetryRules.CanReconnect(failure, options.RetryOnOverload);
        if (items.IsComplete && (failure is null || broken))
        {
            ThrowIfFailed(items);
            return true;
        }

        if (failure is null)
        {
            throw Violation("ended the stream before answering all items.");
        }

        var mayReconnect = failures <= options.MaxReconnects || (options.MaxReconnects > 0 && !items.IsOwed);
        return broken && mayReconnect ? false : throw ErrorDetails.ToException(failure);
    }

    private async Task PauseAsync(RpcException failure, int failures, CancellationToken cancellationToken)
    {
        var backoff = RetryRules.Backoff(failures, options);
        var requested = ErrorDetails.RetryAfter(failure);
        var delay = requested > backoff ? requested.Value : backoff;
        StreamLog.Reconnecting(logger, rpc.Name, ErrorDetails.Message(failure), failures, delay.TotalMilliseconds);
        try
        {
            await Task.Delay(delay, time, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            throw Canceled(failure, cancellationToken);
        }
    }

    private static void ThrowIfFailed(InFlight<TRequest> items)
    {
        if (items.SourceFailure is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    // The last failure shows why a canceled stream was still waiting.
    private static OperationCanceledException Canceled(RpcException? failure, CancellationToken cancellationToken) =>
        new("The stream was canceled.", failure, cancellationToken);

    private EmbeddingsException Violation(string violation) =>
        new(StatusCode.Internal, "PROTOCOL_VIOLATION", $"{rpc.Name}: The server {violation}");
}

/// <summary>Log messages of the client: ids 5000 to 5999.</summary>
internal static partial class StreamLog
{
    [LoggerMessage(
        5000,
        LogLevel.Warning,
        "{Rpc}: The connection broke ({Detail}). Reconnect attempt {Attempt} starts in {DelayMs:F0} ms; "
        + "unanswered items will be resent.",
        EventName = "Reconnecting")]
    public static partial void Reconnecting(ILogger logger, string rpc, string detail, int attempt, double delayMs);
}
