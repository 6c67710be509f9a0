using Grpc.Core;

namespace Embeddings.Client.Calls;

/// <summary>One unary call: a deadline over all tries, retries where they are safe, one kind of exception.</summary>
internal sealed class UnaryCaller(EmbeddingsClientOptions options, TimeProvider time)
{
    // A server that asks to come back at once would be asked in a busy loop.
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(5);

    /// <param name="rpc">The stub's method.</param>
    /// <param name="request">Its request.</param>
    /// <param name="repeatable">Whether a second run gives the same answer as the first.</param>
    /// <param name="cancellationToken">The caller's.</param>
    public async Task<TResponse> CallAsync<TRequest, TResponse>(
        Func<TRequest, CallOptions, AsyncUnaryCall<TResponse>> rpc, TRequest request, bool repeatable, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var due = time.GetUtcNow().UtcDateTime + options.Deadline;
        for (var failures = 1; ; failures++)
        {
            TimeSpan wait;
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                using var call = rpc(request, new CallOptions(deadline: due, cancellationToken: cancellationToken));
                return await call.ResponseAsync.ConfigureAwait(false);
            }
            catch (RpcException error)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (Wait(error, failures, repeatable) is not { } delay || time.GetUtcNow().UtcDateTime + delay >= due)
                {
                    throw ErrorDetails.ToException(error);
                }

                wait = delay;
            }

            await Task.Delay(wait, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private TimeSpan? Wait(RpcException error, int failures, bool repeatable) => error.StatusCode switch
    {
        StatusCode.Unavailable when repeatable && failures <= options.MaxRetries => Backoff.Delay(failures, options, Random.Shared.NextDouble()),
        // A refused call has not run: any call may be tried again.
        StatusCode.ResourceExhausted when options.RetryOnOverload && ErrorDetails.RetryAfter(error) is { } after =>
            (after > ShortestWait ? after : ShortestWait) * (1 + (Random.Shared.NextDouble() / 4)),
        _ => null,
    };
}
