using Embeddings.Client.Calls;
using Grpc.Core;

namespace Embeddings.Client.Streaming;

/// <summary>Distinguishes a broken connection from an error returned by the server.</summary>
internal static class BrokenConnection
{
    /// <summary>
    /// Returns whether resending the items over a new connection may succeed. Do not use for calls canceled by the
    /// caller.
    /// </summary>
    public static bool Is(RpcException error, bool retryOnOverload) => error.StatusCode switch
    {
        StatusCode.Unavailable => true,
        // The server shut down, or a proxy ended the stream without a status.
        StatusCode.Cancelled => true,
        // Only transport errors carry an exception; an INTERNAL status sent by the server does not.
        StatusCode.Internal or StatusCode.Unknown => error.Status.DebugException is HttpRequestException or IOException,
        StatusCode.ResourceExhausted => retryOnOverload && ErrorDetails.RetryAfter(error) is not null,
        _ => false,
    };
}
