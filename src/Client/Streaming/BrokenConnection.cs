using Embeddings.Client.Calls;
using Grpc.Core;

namespace Embeddings.Client.Streaming;

/// <summary>Tells a connection that broke from a server that said no.</summary>
internal static class BrokenConnection
{
    /// <summary>Whether the same items, sent over a new connection, may well be answered. Not to be asked for a call that its caller cancelled.</summary>
    public static bool Is(RpcException error, bool retryOnOverload) => error.StatusCode switch
    {
        StatusCode.Unavailable => true,
        // The server went away, or a proxy ended the stream without a status.
        StatusCode.Cancelled => true,
        // Only an error of the transport brings an exception along; an INTERNAL that the server itself sent has none.
        StatusCode.Internal or StatusCode.Unknown => error.Status.DebugException is HttpRequestException or IOException,
        StatusCode.ResourceExhausted => retryOnOverload && ErrorDetails.RetryAfter(error) is not null,
        _ => false,
    };
}
