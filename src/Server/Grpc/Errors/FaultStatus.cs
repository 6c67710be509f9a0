using Embeddings.Primitives;
using Embeddings.Server.Hosting;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;

namespace Embeddings.Server.Grpc.Errors;

/// <summary>
/// The one mapping from the server's faults to the wire: a status with google.rpc details (https://google.aip.dev/193) for calls, an ItemError for items.
/// </summary>
internal static class FaultStatus
{
    /// <summary>The domain of every ErrorInfo.</summary>
    public const string Domain = "embeddings";

    public static RpcException ToException(Fault fault)
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
        return status.ToRpcException();
    }

    public static V1.ItemError ToItemError(Fault fault) => new()
    {
        Code = (int)fault.Kind,
        Reason = fault.Reason,
        Message = fault.Message,
        Field = fault.Field,
    };

    /// <summary>What a caller may know of an exception; what is not the caller's to know is logged, and becomes INTERNAL.</summary>
    public static Fault ToFault(Exception exception, ServerCallContext context, ILogger log)
    {
        switch (exception)
        {
            case Fault fault:
                return fault;
            case OperationCanceledException when context.CancellationToken.IsCancellationRequested:
                // The token does not tell why; both are the caller's doing.
                return context.Deadline != DateTime.MaxValue
                    ? new(FaultKind.DeadlineExceeded, Reasons.DeadlineExceeded, "the deadline passed, or the call was cancelled")
                    : new(FaultKind.Cancelled, Reasons.Cancelled, "the call was cancelled");
            case OperationCanceledException:
                return new(FaultKind.Unavailable, Reasons.ShuttingDown, "the server is shutting down", retryAfter: TimeSpan.FromSeconds(1));
            case InvalidProtocolBufferException:
                return Fault.Invalid(Reasons.MessageMalformed, "", "the message is not valid Protocol Buffers of the contract");
            default:
                ServerLog.CallFailed(log, exception, context.Method);
                return new(FaultKind.Internal, Reasons.Internal, "the server failed on this; its log says why");
        }
    }
}
