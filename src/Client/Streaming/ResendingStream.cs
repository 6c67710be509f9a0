using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Embeddings.Client.Calls;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Embeddings.Client.Streaming;

/// <summary>
/// A stream that survives its connections:
/// 1. A task reads the caller's source, at most so many items ahead of the answers.
/// 2. A connection's writer sends what is unanswered, then what is new.
/// 3. Each answer settles the oldest unanswered item, is checked against it and goes to the caller.
/// 4. Where a connection breaks, wait and go on with 2. Answers come in request order, so that what is unanswered is exactly what is to be sent again.
/// </summary>
internal sealed class ResendingStream<TRequest, TResponse>(
    StreamRpc<TRequest, TResponse> rpc, EmbeddingsClientOptions options, TimeProvider time, ILogger logger)
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    // A source that does not heed its token must not keep the caller from the stream's end.
    private static readonly TimeSpan SourceGrace = TimeSpan.FromSeconds(1);

    public async IAsyncEnumerable<TResponse> RunAsync(IAsyncEnumerable<TRequest> requests, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var items = new InFlight<TRequest>(options.MaxInFlight, options.MaxMessageBytes, rpc.RequestId);
        var filling = Task.Run(() => items.FillAsync(requests, stop.Token), CancellationToken.None);
        try
        {
            for (var failures = 1; ; failures++)
            {
                var connection = new StreamConnection<TRequest, TResponse>(rpc, items, stop.Token);
                await using (connection.ConfigureAwait(false))
                {
                    while (await connection.ReadAsync().ConfigureAwait(false))
                    {
                        failures = 1;
                        Settle(items, connection.Current);
                        yield return connection.Current;
                    }
                }

                if (IsOver(connection, items, failures, cancellationToken))
                {
                    yield break;
                }

                var delay = Delay(connection.Failure!, failures);
                StreamLog.Reconnecting(logger, rpc.Name, ErrorDetails.Message(connection.Failure!), failures, delay.TotalMilliseconds);
                await Task.Delay(delay, time, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await Task.WhenAny(filling, Task.Delay(SourceGrace, CancellationToken.None)).ConfigureAwait(false);
        }
    }

    private void Settle(InFlight<TRequest> items, TResponse response)
    {
        if (!items.TrySettle(out var request))
        {
            throw Violation($"answered item '{rpc.ResponseId(response)}', which nobody asked for");
        }

        if (rpc.RequestId(request) != rpc.ResponseId(response))
        {
            throw Violation($"answered item '{rpc.ResponseId(response)}' where '{rpc.RequestId(request)}' is next");
        }
    }

    // True at the stream's end, false where it is to go on over a new connection; everything else throws.
    private bool IsOver(StreamConnection<TRequest, TResponse> connection, InFlight<TRequest> items, int failures, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (connection.WriteFailure is { } writeFailure)
        {
            ExceptionDispatchInfo.Throw(writeFailure);
        }

        var failure = connection.Failure;
        var broken = failure is not null && BrokenConnection.Is(failure, options.RetryOnOverload);
        if (items.IsComplete && (failure is null || broken))
        {
            if (items.SourceFailure is { } sourceFailure)
            {
                ExceptionDispatchInfo.Throw(sourceFailure);
            }

            return true;
        }

        if (failure is null)
        {
            throw Violation("ended the stream with items unanswered");
        }

        return broken && failures <= options.MaxReconnects ? false : throw ErrorDetails.ToException(failure);
    }

    private TimeSpan Delay(RpcException failure, int failures)
    {
        var backoff = Backoff.Delay(failures, options, Random.Shared.NextDouble());
        var asked = ErrorDetails.RetryAfter(failure);
        return asked > backoff ? asked.Value : backoff;
    }

    private EmbeddingsException Violation(string what) => new(StatusCode.Internal, "PROTOCOL_VIOLATION", $"{rpc.Name}: the server {what}.");
}
