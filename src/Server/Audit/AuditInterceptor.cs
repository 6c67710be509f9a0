using Embeddings.Primitives;
using Embeddings.Server.Grpc.Errors;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Embeddings.Server.Audit;

/// <summary>
/// Writes the lines of calls that reach their method. The outermost interceptor: it sees the error that the client gets. The
/// response of a call that changes data is sent when its line is written.
/// </summary>
internal sealed class AuditInterceptor : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        if (AuditCall.Of(context) is not { } call)
        {
            return await continuation(request, context);
        }
        call.Add((IMessage)request);
        TResponse? response = null;
        await RunAsync(call, isStream: false, async () => response = await continuation(request, context));
        return response!;
    }

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        if (AuditCall.Of(context) is not { } call)
        {
            return continuation(request, responseStream, context);
        }
        call.Add((IMessage)request);
        return RunAsync(call, isStream: true, () => continuation(request, responseStream, context));
    }

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation) =>
        AuditCall.Of(context) is { } call
            ? RunAsync(
                call,
                isStream: true,
                () => continuation(
                    new AuditedReader<TRequest>(requestStream, call), new AuditedWriter<TResponse>(responseStream, call), context))
            : continuation(requestStream, responseStream, context);

    private static async Task RunAsync(AuditCall call, bool isStream, Func<Task> work)
    {
        try
        {
            await call.RequireAsync();
            if (isStream)
            {
                await call.StartStreamAsync();
            }
            await work();
        }
        catch (Fault fault)
        {
            var error = FaultStatus.ToException(fault);
            await call.EndAsync(error, isStream);
            throw error;
        }
        catch (Exception e)
        {
            await call.EndAsync(e as RpcException ?? new RpcException(new(StatusCode.Unknown, "")), isStream);
            throw;
        }
        try
        {
            await call.EndAsync(null, isStream);
        }
        catch (Fault fault)
        {
            throw FaultStatus.ToException(fault);
        }
    }

    private sealed class AuditedReader<T>(IAsyncStreamReader<T> inner, AuditCall call) : IAsyncStreamReader<T>
    {
        public T Current => inner.Current;

        public async Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            if (!await inner.MoveNext(cancellationToken))
            {
                return false;
            }
            await call.RequireAsync();
            await call.AddItemAsync((IMessage)inner.Current!);
            return true;
        }
    }

    private sealed class AuditedWriter<T>(IServerStreamWriter<T> inner, AuditCall call) : IServerStreamWriter<T>
    {
        public WriteOptions? WriteOptions
        {
            get => inner.WriteOptions;
            set => inner.WriteOptions = value;
        }

        public Task WriteAsync(T message) => WriteAsync(message, CancellationToken.None);

        public Task WriteAsync(T message, CancellationToken cancellationToken)
        {
            if (message is V1.StreamIngestResponse { ResultCase: V1.StreamIngestResponse.ResultOneofCase.Error }
                or V1.StreamUpsertVectorsResponse { ResultCase: V1.StreamUpsertVectorsResponse.ResultOneofCase.Error }
                or V1.StreamEmbedResponse { ResultCase: V1.StreamEmbedResponse.ResultOneofCase.Error })
            {
                call.ItemFailed();
            }
            return cancellationToken.CanBeCanceled ? inner.WriteAsync(message, cancellationToken) : inner.WriteAsync(message);
        }
    }
}
