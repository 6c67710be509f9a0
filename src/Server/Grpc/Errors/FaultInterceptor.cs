using Embeddings.Core;
using Embeddings.Server.Hosting;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Embeddings.Server.Grpc.Errors;

/// <summary>
/// Converts exceptions of service methods to statuses of the contract, and counts unary calls by outcome.
/// </summary>
internal sealed class FaultInterceptor(EmbeddingMetrics metrics, ServerOptions options, ILogger<FaultInterceptor> log)
    : Interceptor
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
            throw FaultStatus.ToException(fault);
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(requestStream, responseStream, context);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.ResourceExhausted && e.Trailers.Count == 0)
        {
            // Thrown by gRPC for a message that exceeds the limit; its text does not contain the limit.
            throw FaultStatus.ToException(FaultStatus.TooLarge(options.MaxMessageBytes));
        }
        catch (Exception e) when (e is not RpcException)
        {
            throw FaultStatus.ToException(FaultStatus.ToFault(e, context, log));
        }
    }
}
