using Embeddings.Core;
using Embeddings.Primitives;
using Embeddings.Server.Audit;
using Embeddings.Server.Hosting;
using Grpc.AspNetCore.Server;
using Grpc.Core;

namespace Embeddings.Server.Grpc.Errors;

/// <summary>
/// Adds the errors of the contract to failures before a unary method is reached, which interceptors do not see: a
/// message that cannot be read. gRPC reports those as a status in the headers, because nothing of the response has been
/// sent. gRPC's own log of them, an error with a stack trace for each, is disabled.
/// </summary>
internal sealed class ProtocolErrors(
    RequestDelegate next, ServerOptions options, EmbeddingMetrics metrics, ILogger<ProtocolErrors> log)
{
    public async Task InvokeAsync(HttpContext context)
    {
        context.Response.OnStarting(() =>
        {
            if (FaultOf(context) is { } fault)
            {
                FaultStatus.Write(fault, context.Response.Headers);
            }
            return Task.CompletedTask;
        });
        await next(context);
        if (FaultOf(context) is { } fault)
        {
            var method = context.Request.Path.Value ?? "";
            metrics.ItemAnswered(method, fault.Reason);
            context.Features.Get<AuditCall>()?.Refuse(fault);
            ServerLog.FaultAnswered(log, method, fault.Reason, fault.Message);
            if (fault.Kind == FaultKind.Internal)
            {
                ServerLog.CallFailed(log, fault.InnerException!, method);
            }
        }
    }

    // The service methods never end with UNKNOWN or without details, because of the interceptor.
    private Fault? FaultOf(HttpContext context)
    {
        if (context.Features.Get<IServerCallContextFeature>()?.ServerCallContext is not { } call
            || call.Status.StatusCode is not (StatusCode.ResourceExhausted or StatusCode.Internal or StatusCode.Unknown)
            || call.ResponseTrailers.Any(entry => entry.Key == FaultStatus.Details))
        {
            return null;
        }
        var exception = call.Status.DebugException ?? new RpcException(call.Status);
        return exception is OperationCanceledException
            ? FaultStatus.Cancelled(call)
            : FaultStatus.OfTransport(exception, call, options)
                ?? new(FaultKind.Internal, Reasons.Internal, FaultStatus.Unexpected, inner: exception);
    }
}
