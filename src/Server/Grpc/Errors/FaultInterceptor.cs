using Embeddings.Core;
using Embeddings.Primitives;
using Embeddings.Server.Hosting;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Embeddings.Server.Grpc.Errors;

/// <summary>
/// Converts exceptions of service methods to statuses of the contract, and counts unary calls and streams by outcome.
/// </summary>
internal sealed class FaultInterceptor(
    EmbeddingMetrics metrics, ServerOptions options, Shutdown shutdown, ILogger<FaultInterceptor> log) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            var response = await continuation(request, context);
            metrics.ItemAnswered(context.Method, "OK");
            return response;
        }
        catch (Exception e) when (e is not RpcException)
        {
            var fault = FaultStatus.ToFault(e, context, log);
            metrics.ItemAnswered(context.Method, fault.Reason);
            ServerLog.FaultAnswered(log, context.Method, fault.Reason, fault.Message);
            throw FaultStatus.ToException(fault, RequestNames.Of(request));
        }
    }

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation) =>
        StreamAsync(() => continuation(request, responseStream, context), context, RequestNames.Of(request));

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation) =>
        StreamAsync(() => continuation(requestStream, responseStream, context), context, default);

    private async Task StreamAsync(Func<Task> stream, ServerCallContext context, RequestNames names)
    {
        try
        {
            await stream();
            metrics.StreamEnded(context.Method, "OK");
        }
        catch (Exception e)
        {
            if (StreamFault(e, context) is not { } fault)
            {
                throw;
            }
            metrics.StreamEnded(context.Method, fault.Reason);
            ServerLog.FaultAnswered(log, context.Method, fault.Reason, fault.Message);
            throw FaultStatus.ToException(fault, names);
        }
    }

    /// <summary>
    /// Returns the fault that ended a stream, or null for a status of gRPC. Work on the items of a stream does not throw,
    /// so the exception comes from reading, writing, or the end of the stream.
    /// </summary>
    private Fault? StreamFault(Exception exception, ServerCallContext context)
    {
        if (exception is OperationCanceledException && !shutdown.Ending.IsCancellationRequested)
        {
            return FaultStatus.Cancelled(context);
        }
        return FaultStatus.OfTransport(exception, context, options)
            ?? (exception is RpcException ? null : FaultStatus.ToFault(exception, context, log));
    }
}
