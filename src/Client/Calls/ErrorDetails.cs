using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;

namespace Embeddings.Client.Calls;

/// <summary>Reads the error details (ErrorInfo, BadRequest, RetryInfo) from the trailers of a failed call.</summary>
internal static class ErrorDetails
{
    public static EmbeddingsException ToException(RpcException error)
    {
        var details = error.Trailers.GetRpcStatus(ignoreParseError: true);
        var info = Find<ErrorInfo>(details);
        var field = Find<BadRequest>(details)?.FieldViolations.FirstOrDefault()?.Field ?? "";
        return new EmbeddingsException(
            error.StatusCode, info?.Reason ?? "", Message(error), field, RetryAfter(details), error)
        {
            NotStored = info is not null && info.Metadata.TryGetValue(PointIndexes.Key, out var indexes)
                ? PointIndexes.Parse(indexes)
                : [],
        };
    }

    /// <summary>Returns whether the service reported the error itself. It gives a reason for every error.</summary>
    public static bool IsStated(RpcException error) =>
        Find<ErrorInfo>(error.Trailers.GetRpcStatus(ignoreParseError: true)) is { Reason.Length: > 0 };

    /// <summary>Returns a human-readable message. If the connection failed, it includes the cause.</summary>
    public static string Message(RpcException error)
    {
        var detail = error.Status.Detail.Length > 0 ? error.Status.Detail : StatusName(error.StatusCode);
        var cause = error.StatusCode == StatusCode.Unavailable ? error.Status.DebugException?.GetBaseException() : null;
        return cause is null || detail.Contains(cause.Message, StringComparison.Ordinal)
            ? detail
            : $"{detail.TrimEnd('.')}: {cause.Message}";
    }

    /// <summary>Returns the retry delay requested by the server, or null if it did not specify one.</summary>
    public static TimeSpan? RetryAfter(RpcException error) =>
        RetryAfter(error.Trailers.GetRpcStatus(ignoreParseError: true));

    /// <summary>
    /// Returns the name of a status code as in the gRPC specification, for example <c>INVALID_ARGUMENT</c>.
    /// </summary>
    public static string StatusName(StatusCode status) =>
        CodeReflection.Descriptor.EnumTypes[0].FindValueByNumber((int)status)?.Name ?? $"STATUS_{(int)status}";

    private static TimeSpan? RetryAfter(Google.Rpc.Status? details)
    {
        // The values come from the network; values out of range are ignored.
        var delay = Find<RetryInfo>(details)?.RetryDelay;
        return delay is { Seconds: >= 0 and <= 86_400, Nanos: >= 0 and < 1_000_000_000 }
            ? TimeSpan.FromTicks((delay.Seconds * TimeSpan.TicksPerSecond) + (delay.Nanos / Duration.NanosecondsPerTick))
            : null;
    }

    // Malformed details must not hide the error that they belong to.
    private static T? Find<T>(Google.Rpc.Status? details)
        where T : class, IMessage<T>, new()
    {
        try
        {
            return details?.GetDetail<T>();
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }
}
