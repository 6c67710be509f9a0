using Embeddings.Server.Grpc.Admission;
using Embeddings.Server.Hosting;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Embeddings.Server.Grpc.Streaming;

/// <summary>
/// Splits messages with several items into single ones, and joins their responses. The outermost interceptor: everything behind
/// it, such as checks of access, limits, and audit, handles one item at a time, in either form.
/// </summary>
internal sealed class ItemsInterceptor(ServerOptions options, DefaultCollections defaults, TimeProvider time) : Interceptor
{
    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation) =>
        Split<V1.StreamUpsertVectorsRequest, V1.StreamUpsertVectorsResponse>(requestStream, responseStream, context, continuation)
        ?? Split<V1.StreamEmbedRequest, V1.StreamEmbedResponse>(requestStream, responseStream, context, continuation)
        ?? Split<V1.StreamIngestRequest, V1.StreamIngestResponse>(requestStream, responseStream, context, continuation)
        ?? continuation(requestStream, responseStream, context);

    // Null for a stream of other types.
    private Task? Split<TRequest, TResponse>(object requests, object responses, ServerCallContext context, object method)
        where TRequest : class, IMessage<TRequest>, V1.IStreamMessage<TRequest>
        where TResponse : class, IMessage<TResponse>, V1.IStreamMessage<TResponse>, new() =>
        method is DuplexStreamingServerMethod<TRequest, TResponse> inner
            ? RunAsync((IAsyncStreamReader<TRequest>)requests, (IServerStreamWriter<TResponse>)responses, context, inner)
            : null;

    private async Task RunAsync<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requests,
        IServerStreamWriter<TResponse> responses,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> method)
        where TRequest : class, IMessage<TRequest>, V1.IStreamMessage<TRequest>
        where TResponse : class, IMessage<TResponse>, V1.IStreamMessage<TResponse>, new()
    {
        var http = context.GetHttpContext();
        using var reader = new ItemReader<TRequest>(requests, http.Features.Get<IMessageCharges>(), defaults.Fill);
        var writer = new ItemWriter<TResponse>(
            responses, reader, TimeSpan.FromSeconds(options.MessageReadSeconds), http.Abort, time);
        http.Features.Set<IStreamItems>(reader);
        try
        {
            await method(reader, writer, context);
        }
        catch when (!context.CancellationToken.IsCancellationRequested)
        {
            await FlushAsync(writer);
            throw;
        }
    }

    // Responses are not lost because those of other items of their message are missing.
    private static async Task FlushAsync<TResponse>(ItemWriter<TResponse> writer)
        where TResponse : class, IMessage<TResponse>, V1.IStreamMessage<TResponse>, new()
    {
        try
        {
            await writer.FlushAsync();
        }
        catch (Exception e) when (e is InvalidOperationException or OperationCanceledException or IOException or RpcException)
        {
            // The call has ended; its error is the one that is thrown.
        }
    }
}
