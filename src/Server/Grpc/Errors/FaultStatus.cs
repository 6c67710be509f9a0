using System.Globalization;
using System.Text;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Server.Hosting;
using Google.Protobuf;
using Google.Protobuf.Collections;
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

    /// <summary>The trailer with the details of a status.</summary>
    public const string Details = "grpc-status-details-bin";

    /// <summary>The page that explains all reasons, relative to the root of the repository.</summary>
    public const string ReasonsPage = "docs/errors.md";

    // With these limits, the trailers of a call stay below 8 KiB, which all clients accept.
    private const int MaxMessageBytes = 1024;
    private const int MaxValueBytes = 256;

    // Those of 10,000 points have at most 1,675 bytes, and are never cut.
    private const int MaxIndexBytes = 2048;

    public static RpcException ToException(Fault fault, RequestNames names = default) =>
        ToStatus(fault, names).ToRpcException();

    public static Google.Rpc.Status ToStatus(Fault fault, RequestNames names = default)
    {
        var message = Shorten(fault.Message, MaxMessageBytes);
        var status = new Google.Rpc.Status { Code = (int)fault.Kind, Message = message };
        var info = new ErrorInfo { Domain = Domain, Reason = fault.Reason };
        AddMetadata(info.Metadata, fault, names);
        status.Details.Add(Any.Pack(info));
        if (fault.Kind == FaultKind.InvalidArgument)
        {
            var violation = new BadRequest.Types.FieldViolation { Field = fault.Field, Description = message };
            status.Details.Add(Any.Pack(new BadRequest { FieldViolations = { violation } }));
        }
        if (fault.Kind == FaultKind.FailedPrecondition || fault.Reason is Reasons.DimensionMismatch or Reasons.ModelKindMismatch)
        {
            var violation = new PreconditionFailure.Types.Violation
            {
                Type = fault.Reason,
                Subject = SubjectOf(info.Metadata),
                Description = message,
            };
            status.Details.Add(Any.Pack(new PreconditionFailure { Violations = { violation } }));
        }
        if (ResourceOf(fault.Reason) is { } resource)
        {
            var name = info.Metadata.GetValueOrDefault(resource, "");
            status.Details.Add(Any.Pack(new ResourceInfo { ResourceType = resource, ResourceName = name }));
        }
        if (fault.RetryAfter is { } after)
        {
            status.Details.Add(Any.Pack(new RetryInfo { RetryDelay = Duration.FromTimeSpan(after) }));
        }
        var link = new Help.Types.Link { Description = $"Meaning of {fault.Reason}, in the server's repository", Url = ReasonsPage };
        status.Details.Add(Any.Pack(new Help { Links = { link } }));
        return status;
    }

    public static V1.ItemError ToItemError(Fault fault, RequestNames names)
    {
        var error = new V1.ItemError
        {
            Code = (int)fault.Kind,
            Reason = fault.Reason,
            Message = fault.Message,
            Field = fault.Field,
        };
        AddMetadata(error.Metadata, fault, names);
        return error;
    }

    /// <summary>Writes a fault as the status of a call whose response has not begun.</summary>
    public static void Write(Fault fault, IHeaderDictionary headers)
    {
        var status = ToStatus(fault);
        headers["grpc-status"] = status.Code.ToString(CultureInfo.InvariantCulture);
        headers["grpc-message"] = Uri.EscapeDataString(status.Message).Replace("%20", " ");
        headers[Details] = Convert.ToBase64String(status.ToByteArray()).TrimEnd('=');
    }

    /// <summary>Returns the fault for a message that exceeds a size limit.</summary>
    public static Fault TooLarge(long limit, string setting = "Server:MaxMessageBytes") => new Fault(
        FaultKind.ResourceExhausted,
        Reasons.MessageTooLarge,
        $"The message must be at most {limit} bytes ({setting}); send less per message.")
        .With(FaultKeys.Limit, limit)
        .With(FaultKeys.Setting, setting);

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
    public static Fault TooSlow(int seconds) => new Fault(
        FaultKind.DeadlineExceeded,
        Reasons.MessageTimeout,
        $"The message must arrive completely within {seconds} seconds (Server:MessageReadSeconds); send less per message.")
        .With(FaultKeys.Limit, seconds)
        .With(FaultKeys.Setting, "Server:MessageReadSeconds");

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
            InvalidProtocolBufferException { Message: var text } when text.Contains("levels of nesting", StringComparison.Ordinal) =>
                AttributeMapping.TooDeep(),
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

    private static void AddMetadata(MapField<string, string> metadata, Fault fault, RequestNames names)
    {
        foreach (var (key, value) in fault.Metadata)
        {
            metadata[key] = Shorten(value, key == FaultKeys.NotStored ? MaxIndexBytes : MaxValueBytes);
        }
        AddIfAbsent(FaultKeys.Collection, names.Collection);
        AddIfAbsent(FaultKeys.Model, names.Model);
        AddIfAbsent(FaultKeys.Field, fault.Field);

        void AddIfAbsent(string key, string? value)
        {
            if (!string.IsNullOrEmpty(value) && !metadata.ContainsKey(key))
            {
                metadata.Add(key, Shorten(value, MaxValueBytes));
            }
        }
    }

    private static string SubjectOf(MapField<string, string> metadata) =>
        metadata.TryGetValue(FaultKeys.Collection, out var collection) ? $"collections/{collection}"
        : metadata.TryGetValue(FaultKeys.Model, out var model) ? $"models/{model}"
        : "";

    private static string? ResourceOf(string reason) => reason switch
    {
        Reasons.CollectionNotFound or Reasons.CollectionExists => FaultKeys.Collection,
        Reasons.AliasNotFound or Reasons.AliasExists => FaultKeys.Alias,
        Reasons.PointNotFound => FaultKeys.Point,
        Reasons.PersonNotFound => FaultKeys.Person,
        Reasons.ModelNotFound => FaultKeys.Model,
        _ => null,
    };

    // Cuts between characters.
    private static string Shorten(string text, int maxBytes)
    {
        const string Ellipsis = "...";
        if (Encoding.UTF8.GetByteCount(text) <= maxBytes)
        {
            return text;
        }
        var cut = new byte[maxBytes - Ellipsis.Length];
        Encoding.UTF8.GetEncoder().Convert(text, cut, flush: true, out var used, out _, out _);
        return text[..used] + Ellipsis;
    }
}
