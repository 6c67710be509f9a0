using System.Globalization;
using System.Net.Sockets;
using Embeddings.Primitives;
using Grpc.Core;

namespace Embeddings.Storage.Qdrant;

/// <summary>The one place where Qdrant's errors become the server's.</summary>
internal static class QdrantFaults
{
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(1);

    /// <summary>Whether the same call may succeed in a moment. All calls of this store may be sent twice.</summary>
    public static bool IsTransient(RpcException exception) => exception.StatusCode switch
    {
        StatusCode.Unavailable or StatusCode.DeadlineExceeded => true,
        // A limit that a pause does not help has no retry-after.
        StatusCode.ResourceExhausted => RetryAfter(exception) is not null,
        // Not Qdrant's word but the transport's: the connection broke in the middle of the answer.
        StatusCode.Internal or StatusCode.Unknown or StatusCode.Cancelled =>
            exception.Status.DebugException is HttpRequestException or IOException or SocketException,
        _ => false,
    };

    /// <summary>The pause Qdrant asks for, or null.</summary>
    public static TimeSpan? RetryAfter(RpcException exception) =>
        double.TryParse(exception.Trailers.GetValue("retry-after"), NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds)
        && seconds is >= 0 and < 86_400
            ? TimeSpan.FromSeconds(seconds)
            : null;

    /// <summary>One sentence for the operator.</summary>
    public static string Describe(RpcException exception, Uri address) => exception.StatusCode switch
    {
        StatusCode.Unauthenticated or StatusCode.PermissionDenied => $"Qdrant at {address.Authority} refuses the API key: {exception.Status.Detail}",
        StatusCode.DeadlineExceeded => $"Qdrant at {address.Authority} did not answer in time",
        _ => $"Qdrant at {address.Authority}: {exception.StatusCode}: {Detail(exception)}",
    };

    public static Fault ToFault(RpcException exception, string collection, Uri address)
    {
        var detail = exception.Status.Detail;
        switch (exception.StatusCode)
        {
            case StatusCode.NotFound:
                return CollectionFaults.NotFound(collection);
            case StatusCode.InvalidArgument when detail.Contains("dimension", StringComparison.OrdinalIgnoreCase):
                return new(FaultKind.InvalidArgument, Reasons.DimensionMismatch, $"Qdrant: {detail}", "vector", inner: exception);
            case StatusCode.InvalidArgument or StatusCode.OutOfRange:
                return new(FaultKind.InvalidArgument, Reasons.FieldInvalid, $"Qdrant: {detail}", inner: exception);
            case StatusCode.ResourceExhausted when RetryAfter(exception) is { } pause:
                return new(FaultKind.ResourceExhausted, Reasons.QueueFull, $"Qdrant: {detail}", retryAfter: pause, inner: exception);
            case StatusCode.ResourceExhausted:
                return new(FaultKind.ResourceExhausted, Reasons.StoreFull, $"Qdrant: {detail}", inner: exception);
            // Writing is locked, the key is wrong: the operator's to mend, and until then the store is not there.
            case StatusCode.FailedPrecondition or StatusCode.Unauthenticated or StatusCode.PermissionDenied:
                return new(FaultKind.Unavailable, Reasons.StoreUnavailable, Describe(exception, address), inner: exception);
            case StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Cancelled or StatusCode.Aborted or StatusCode.Unimplemented:
                return new(FaultKind.Unavailable, Reasons.StoreUnavailable, Describe(exception, address), retryAfter: RetryLater, inner: exception);
            default:
                return IsTransient(exception)
                    ? new(FaultKind.Unavailable, Reasons.StoreUnavailable, Describe(exception, address), retryAfter: RetryLater, inner: exception)
                    : new(FaultKind.Internal, Reasons.Internal, $"the store failed: {Describe(exception, address)}", inner: exception);
        }
    }

    // The innermost words are the plainest: "Connection refused" instead of "Error starting gRPC call".
    private static string Detail(RpcException exception) =>
        exception.Status.DebugException is { } cause ? cause.GetBaseException().Message : exception.Status.Detail;
}
