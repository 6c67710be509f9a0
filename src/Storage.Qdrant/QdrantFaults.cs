using System.Globalization;
using System.Net.Sockets;
using System.Security.Authentication;
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
        // A cluster that is busy or elects a leader.
        StatusCode.Internal when exception.Status.Detail.Contains("consensus operation commit failed", StringComparison.Ordinal) =>
            true,
        // A collection that is being deleted has no shards left; the next attempt does not find it.
        StatusCode.Internal when exception.Status.Detail.Contains("0 of 0 read operations failed", StringComparison.Ordinal) =>
            true,
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

    /// <summary>
    /// Returns the reason that no connection is possible until the operator corrects the settings, so that a retry is of no
    /// use; null for other errors.
    /// </summary>
    public static string? WhyMisconfigured(RpcException exception, QdrantNodeChannel node)
    {
        var causes = Causes(exception.Status.DebugException).ToList();
        if (causes.OfType<AuthenticationException>().FirstOrDefault() is { } refused)
        {
            return refused.Message.Contains("frame", StringComparison.Ordinal)
                ? "it does not use TLS; check the port, or use http://."
                : $"the TLS connection was refused: {refused.Message} Check CaFile and CertificateThumbprint.";
        }
        // It accepts connections, but has never answered, and ends those in which a client without TLS sends.
        var isEnded = causes.Any(cause => cause is HttpRequestException or IOException)
            && causes.OfType<SocketException>().All(cause => cause.SocketErrorCode == SocketError.ConnectionReset);
        return isEnded && node.Address.Scheme == Uri.UriSchemeHttp && !node.HasAnswered
            ? "it does not speak gRPC; check the port (6334, not 6333), or use https:// if it uses TLS."
            : null;
    }

    private static IEnumerable<Exception> Causes(Exception? exception)
    {
        for (var cause = exception; cause is not null; cause = cause.InnerException)
        {
            yield return cause;
        }
    }

    /// <summary>Describes the error in one sentence for the operator.</summary>
    public static string Describe(RpcException exception, QdrantNodeChannel node) => exception.StatusCode switch
    {
        _ when WhyMisconfigured(exception, node) is { } why => $"Qdrant at {node.Address.Authority}: {why}",
        StatusCode.Unauthenticated or StatusCode.PermissionDenied =>
            $"Qdrant at {node.Address.Authority} rejected the API key: {exception.Status.Detail}",
        StatusCode.DeadlineExceeded => $"Qdrant at {node.Address.Authority} did not respond in time.",
        _ => $"Qdrant at {node.Address.Authority}: {exception.StatusCode}: {Detail(exception)}",
    };

    /// <summary>The fault of an operation that the strict mode of a collection does not permit.</summary>
    public static Fault Restricted(string collection, string why, Exception? inner = null) =>
        new Fault(
            FaultKind.FailedPrecondition,
            Reasons.CollectionRestricted,
            $"Collection '{collection}' is in Qdrant's strict mode: {why}",
            inner: inner)
            .With(FaultKeys.Collection, collection);

    public static Fault ToFault(RpcException exception, string collection, QdrantNodeChannel node)
    {
        var fault = ToFaultOf(exception, collection, node);
        return collection.Length == 0 ? fault : fault.With(FaultKeys.Collection, collection);
    }

    private static Fault ToFaultOf(RpcException exception, string collection, QdrantNodeChannel node)
    {
        var detail = $"Qdrant: {exception.Status.Detail}";
        if (WhyMisconfigured(exception, node) is not null)
        {
            return new(FaultKind.Unavailable, Reasons.StoreUnavailable, Describe(exception, node), inner: exception);
        }
        switch (exception.StatusCode)
        {
            case StatusCode.InvalidArgument or StatusCode.PermissionDenied when IsFull(exception):
                return new(FaultKind.ResourceExhausted, Reasons.StoreFull, detail, inner: exception);
            case StatusCode.InvalidArgument or StatusCode.PermissionDenied when IsRestriction(exception):
                return Restricted(collection, exception.Status.Detail, exception);
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
                return new(FaultKind.Unavailable, Reasons.StoreUnavailable, Describe(exception, node), inner: exception);
            case StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Cancelled or StatusCode.Aborted
                or StatusCode.Unimplemented:
                return Unavailable(exception, node);
            default:
                return IsTransient(exception)
                    ? Unavailable(exception, node)
                    : new(FaultKind.Internal, Reasons.Internal, Describe(exception, node), inner: exception);
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

    // Qdrant's strict mode says with each of its errors what helps.
    private static bool IsRestriction(RpcException exception) =>
        exception.Status.Detail.Contains(" Help: ", StringComparison.Ordinal);

    // A limit of strict mode on the size of a collection or the number of its indexes.
    private static bool IsFull(RpcException exception) =>
        exception.Status.Detail.Contains("maximum number of payload ind", StringComparison.Ordinal)
        || (exception.Status.Detail.Contains("Max ", StringComparison.Ordinal)
            && exception.Status.Detail.Contains("reached", StringComparison.Ordinal));

    private static Fault Unavailable(RpcException exception, QdrantNodeChannel node) =>
        new(
            FaultKind.Unavailable,
            Reasons.StoreUnavailable,
            Describe(exception, node),
            retryAfter: RetryLater,
            inner: exception);

    // The innermost message is the most specific: "Connection refused" instead of "Error starting gRPC call".
    private static string Detail(RpcException exception) =>
        exception.Status.DebugException is { } cause ? cause.GetBaseException().Message : exception.Status.Detail;
}
