using Embeddings.Primitives;
using Embeddings.Server.Hosting;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;

namespace Embeddings.Server.Grpc.Errors;

/// <summary>
/// The only conversion of faults for clients: a status with google.rpc details (https://google.aip.dev/193) for calls,
/// an ItemError for items of a stream.
/// </summary>
internal static class FaultStatus
{
    /// <summary>The message of an unexpected exception; clients do not see the exception's own.</summary>
    public const string Unexpected = "The server failed unexpectedly; its log contains the details.";

    /// <summary>The domain of every ErrorInfo.</summary>
    public const string Domain = "embeddings";

    public static RpcException ToException(Fault fault) => ToStatus(fault).ToRpcException();

    public static Google.Rpc.Status ToStatus(Fault fault)
    {
        var status = new Google.Rpc.Status { Code = (int)fault.Kind, Message = fault.Message };
        status.Details.Add(Any.Pack(new ErrorInfo { Domain = Domain, Reason = fault.Reason }));
        if (fault.Kind == FaultKind.InvalidArgument)
        {
            var violation = new BadRequest.Types.FieldViolation { Field = fault.Field, Description = fault.Message };
            status.Details.Add(Any.Pack(new BadRequest { FieldViolations = { violation } }));
        }
        if (fault.RetryAfter is { } after)
        {
            status.Details.Add(Any.Pack(new RetryInfo { RetryDelay = Duration.FromTimeSpan(after) }));
        }
        return status;
    }

    public static V1.ItemError ToItemError(Fault fault) => new()
    {
        Code = (int)fault.Kind,
        Reason = fault.Reason,
        Message = fault.Message,
        Field = fault.Field,
    };

    /// <summary>Returns the fault for a message that exceeds a size limit.</summary>
    public static Fault TooLarge(long limit, string setting = "Server:MaxMessageBytes") => new(
        FaultKind.ResourceExhausted,
        Reasons.MessageTooLarge,
        $"The message must be at most {limit} bytes ({setting}); send less per message.");

    /// <summary>Returns the fault for a message for which there is no memory now.</summary>
    public static Fault MemoryFull() => new(
        FaultKind.ResourceExhausted,
        Reasons.MemoryFull,
        "The memory for messages is in use by other calls; try again, or raise the server's memory limit (Memory:LimitBytes).",
        retryAfter: TimeSpan.FromMilliseconds(500));

    /// <summary>Returns the fault for data that is not a message of the method.</summary>
    public static Fault Malformed() =>
        Fault.Invalid(Reasons.MessageMalformed, "", "The data is not a valid Protocol Buffers message for this method.");

    /// <summary>Returns the fault for a message that did not arrive in time.</summary>
    public static Fault TooSlow(int seconds) => new(
        FaultKind.DeadlineExceeded,
        Reasons.MessageTimeout,
        $"The message must arrive completely within {seconds} seconds (Server:MessageReadSeconds); send less per message.");

    /// <summary>Returns the fault of a client that is gone; the context does not contain the cause.</summary>
    public static Fault Cancelled(ServerCallContext context) => context.Deadline != DateTime.MaxValue
        ? new(FaultKind.DeadlineExceeded, Reasons.DeadlineExceeded, "The deadline passed, or the call was canceled.")
        : new(FaultKind.Cancelled, Reasons.Cancelled, "The call was canceled.");

    /// <summary>
    /// Returns the fault for an exception that gRPC throws when it reads or writes a message, or null if the exception
    /// has another cause.
    /// </summary>
    public static Fault? OfTransport(Exception exception, ServerCallContext context, ServerOptions options)
    {
        var http = context.GetHttpContext();
        return exception switch
        {
            // Has the details of the contract already.
            RpcException { Trailers.Count: > 0 } => null,
            RpcException { StatusCode: StatusCode.Internal } when http.Features.Get<MessageDeadline>() is { Expired: true } =>
                TooSlow(options.MessageReadSeconds),
            RpcException { StatusCode: StatusCode.ResourceExhausted, Trailers.Count: 0 } => TooLarge(options.MaxMessageBytes),
            // The length has more than 31 bits.
            IOException { Message: var text } when text.StartsWith("Message too large", StringComparison.Ordinal) =>
                TooLarge(options.MaxMessageBytes),
            // An incomplete message, data after the message, or a frame or compressed data that cannot be read.
            RpcException { StatusCode: StatusCode.Internal } or InvalidDataException or InvalidProtocolBufferException =>
                Malformed(),
            // Reads can fail before the token of the call is canceled.
            IOException => Cancelled(context),
            InvalidOperationException when http.RequestAborted.IsCancellationRequested => Cancelled(context),
            _ => null,
        };
    }

    /// <summary>
    /// Returns the fault that a client may see; unexpected exceptions are logged and become INTERNAL.
    /// </summary>
    public static Fault ToFault(Exception exception, ServerCallContext context, ILogger log)
    {
        switch (exception)
        {
            case Fault fault:
                return fault;
            case OperationCanceledException when context.CancellationToken.IsCancellationRequested:
                return Cancelled(context);
            case OperationCanceledException:
                return new(
                    FaultKind.Unavailable,
                    Reasons.ShuttingDown,
                    "The server is shutting down; retry later or on another server.",
                    retryAfter: TimeSpan.FromSeconds(1));
            default:
                ServerLog.CallFailed(log, exception, context.Method);
                return new(FaultKind.Internal, Reasons.Internal, Unexpected);
        }
    }
}
