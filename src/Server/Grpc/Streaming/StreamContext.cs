using Embeddings.Core;
using Embeddings.Server.Grpc.Errors;
using Embeddings.Server.Hosting;
using Grpc.Core;

namespace Embeddings.Server.Grpc.Streaming;

/// <summary>
/// State shared by all streams: their limits, the shutdown of the server, and the conversion of a failed item to its
/// response.
/// </summary>
internal sealed class StreamContext(
    ServerOptions options, EmbeddingMetrics metrics, Shutdown shutdown, ILogger<StreamContext> log)
{
    /// <summary>Runs a stream; <paramref name="start"/> is documented at <see cref="OrderedStream"/>.</summary>
    public Task RunAsync<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requests,
        IServerStreamWriter<TResponse> responses,
        ServerCallContext context,
        Func<TRequest, CancellationToken, ValueTask<Task<TResponse>>> start) =>
        OrderedStream.RunAsync(
            requests, responses, start, options.MaxPendingPerStream, shutdown.Ending, context.CancellationToken);

    /// <summary>
    /// Puts an item in the queue; an invalid request becomes a failed embedding, so that its response keeps its place in
    /// the order.
    /// </summary>
    public static async ValueTask<PendingEmbedding> EnqueueAsync<TRequest>(
        TRequest request, Func<TRequest, ValueTask<PendingEmbedding>> enqueue)
    {
        try
        {
            return await enqueue(request);
        }
        catch (Exception e)
        {
            return PendingEmbedding.FromException(e);
        }
    }

    /// <summary>Returns the response to an item. A failure is the item's only: the stream continues.</summary>
    public async Task<TResponse> AnswerAsync<TResponse>(
        ServerCallContext context, Func<Task<TResponse>> work, Func<V1.ItemError, TResponse> failed)
    {
        try
        {
            var response = await work();
            metrics.ItemAnswered(context.Method, "OK");
            return response;
        }
        catch (Exception e)
        {
            var fault = FaultStatus.ToFault(e, context, log);
            metrics.ItemAnswered(context.Method, fault.Reason);
            ServerLog.FaultAnswered(log, context.Method, fault.Reason, fault.Message);
            return failed(FaultStatus.ToItemError(fault));
        }
    }
}
