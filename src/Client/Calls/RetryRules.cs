using System.Security.Authentication;
using Grpc.Core;

namespace Embeddings.Client.Calls;

/// <summary>Decides which failures are retried and after which delay.</summary>
internal static class RetryRules
{
    /// <summary>Returns the delay before the next attempt: exponential, with a maximum and jitter.</summary>
    /// <param name="failures">Number of consecutive failures, 1 or more.</param>
    /// <param name="options">Options with the initial and the maximum delay.</param>
    public static TimeSpan Backoff(int failures, EmbeddingsClientOptions options) =>
        Backoff(failures, options, Random.Shared.NextDouble());

    /// <summary>Returns the delay for a given random value from 0 to 1; 1 halves the delay.</summary>
    public static TimeSpan Backoff(int failures, EmbeddingsClientOptions options, double random)
    {
        // With a factor of 2^30, every valid initial delay exceeds the maximum delay.
        var doubled = options.ReconnectDelay * (1L << Math.Min(failures - 1, 30));
        var capped = doubled < options.MaxReconnectDelay ? doubled : options.MaxReconnectDelay;
        return capped * (1 - (random / 2));
    }

    /// <summary>
    /// Returns whether resending the items of a stream over a new connection may succeed. Do not use for calls canceled
    /// by the caller.
    /// </summary>
    public static bool CanReconnect(RpcException error, bool retryOnOverload) => error.StatusCode switch
    {
        StatusCode.Unavailable => true,
        // A proxy or a server that stops ends a stream without the service's trailers; the code depends on how.
        StatusCode.Cancelled or StatusCode.Internal or StatusCode.Unknown => !ErrorDetails.IsStated(error) && !IsLocal(error),
        StatusCode.ResourceExhausted => retryOnOverload && ErrorDetails.RetryAfter(error) is not null,
        _ => false,
    };

    // Any other exception comes from this process, for example from call credentials or an interceptor. A certificate that is not
    // trusted, here or at the server, is not trusted at the next attempt either.
    private static bool IsLocal(RpcException error) => error.Status.DebugException
        is not (null or HttpRequestException or IOException or InvalidDataException or OperationCanceledException)
        || error.Status.DebugException?.GetBaseException() is AuthenticationException;
}
