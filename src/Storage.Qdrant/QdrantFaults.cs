using System.Globalization;
using System.Net.Sockets;
using Embeddings.Primitives;
using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>Maps Qdrant's errors to faults.</summary>
internal static class QdrantFaults
{
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(1);

    /// <summary>Returns true if a retry may succeed. All calls of this store can be repeated safely.</summary>
    public static bool IsTransient(RpcException exception) => exception.StatusCode switch
    {
        StatusCode.Unavailable or StatusCode.DeadlineExceeded => true,
        // Without retry-after, waiting does not help.
        StatusCode.ResourceExhausted => RetryAfter(exception) is not null,
        // An error of the transport, not of Qdrant: the connection was lost during the response.
        StatusCode.Internal or StatusCode.Unknown or StatusCode.Cancelled =>
            exception.Status.DebugException is HttpRequestException or IOException or SocketException,
        _ => false,
    };

    /// <summary>The delay that Qdrant requests, or null.</summary>
    public static TimeSpan? RetryAfter(RpcException exception) =>
        double.TryParse(
            exception.Trailers.GetValue("retry-after"), NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds)
        && seconds is >= 0 and < 86_400
            ? TimeSpan.FromSeconds(seconds)
            : null;

    /// <summary>Describes the error in one sentence for the operator.</summary>
    public static string Describe(RpcException exception, Uri address) => exception.StatusCode switch
    {
        StatusCode.Unauthenticated or StatusCode.PermissionDenied =>
            $"Qdrant at {address.Authority} rejected the API key: {exception.Status.Detail}",
        StatusCode.DeadlineExceeded => $"Qdrant at {address.Authority} did not respond in time.",
        _ => $"Qdrant at {address.Authority}: {exception.StatusCode}: {Detail(exception)}",
    };

    public static Fault ToFault(RpcException exception, string collection, Uri address)
    {
        var detail = $"Qdrant: {exception.Status.Detail}";
        switch (exception.StatusCode)
        {
            case StatusCode.NotFound:
                return CollectionFaults.NotFound(collection);
            case StatusCode.InvalidArgument when detail.Contains("dimension", StringComparison.OrdinalIgnoreCase):
                return new(FaultKind.InvalidArgument, Reasons.DimensionMismatch, detail, "vector", inner: exception);
            case StatusCode.InvalidArgument or StatusCode.OutOfRange:
                return new(FaultKind.InvalidArgument, Reasons.FieldInvalid, detail, inner: exception);
            // From the gRPC library, before the reply is read.
            case StatusCode.ResourceExhausted when detail.Contains("maximum configured message size", StringComparison.Ordinal):
                return new(
                    FaultKind.ResourceExhausted,
                    Reasons.ResponseTooLarge,
                    "A reply of Qdrant exceeds Store:Qdrant:MaxReceiveBytes; request fewer points per call, or raise the setting.",
                    inner: exception);
            case StatusCode.ResourceExhausted when RetryAfter(exception) is { } delay:
                return new(FaultKind.ResourceExhausted, Reasons.QueueFull, detail, retryAfter: delay, inner: exception);
            case StatusCode.ResourceExhausted:
                return new(FaultKind.ResourceExhausted, Reasons.StoreFull, detail, inner: exception);
            // Writes are locked or the key is wrong: the store is unavailable until the operator corrects that.
            case StatusCode.FailedPrecondition or StatusCode.Unauthenticated or StatusCode.PermissionDenied:
                return new(FaultKind.Unavailable, Reasons.StoreUnavailable, Describe(exception, address), inner: exception);
            case StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Cancelled or StatusCode.Aborted
                or StatusCode.Unimplemented:
                return Unavailable(exception, address);
            default:
                return IsTransient(exception)
                    ? Unavailable(exception, address)
                    : new(FaultKind.Internal, Reasons.Internal, Describe(exception, address), inner: exception);
        }
    }

    /// <summary>
    /// Throws UNAVAILABLE, which is retried, if Qdrant does not report a write as completed or, if permitted, as
    /// accepted.
    /// </summary>
    public static UpdateStatus ThrowIfIncomplete(UpdateResult result, bool allowAccepted = false) =>
        result.Status == UpdateStatus.Completed || (result.Status == UpdateStatus.Acknowledged && allowAccepted)
            ? result.Status
            : throw new RpcException(new Status(StatusCode.Unavailable, $"The write ended with status {result.Status}."));

    private static Fault Unavailable(RpcException exception, Uri address) =>
        new(
            FaultKind.Unavailable,
            Reasons.StoreUnavailable,
            Describe(exception, address),
            retryAfter: RetryLater,
            inner: exception);

    // The innermost message is the most specific: "Connection refused" instead of "Error starting gRPC call".
    private static string Detail(RpcException exception) =>
        exception.Status.DebugException is { } cause ? cause.GetBaseException().Message : exception.Status.Detail;
}
