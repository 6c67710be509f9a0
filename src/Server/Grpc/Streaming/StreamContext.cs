using Embeddings.Core;
using Embeddings.Server.Grpc.Errors;
using Embeddings.Server.Hosting;
using Grpc.Core;

namespace Embeddings.Server.Grpc.Streaming;

/// <summary>What all streams share: their bounds, the server's shutdown, and how an item's failure becomes its answer.</summary>
internal sealed class StreamContext(ServerOptions options, EmbeddingMetrics metrics, IHostApplicationLifetime lifetime, ILogger<StreamContext> log)
{
    /// <summary>Runs a stream. <paramref name="start"/> as in <see cref="OrderedStream"/>.</summary>
    public Task RunAsync<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requests,
        IServerStreamWriter<TResponse> responses,
        ServerCallContext context,
        Func<TRequest, CancellationToken, ValueTask<Task<TResponse>>> start) =>
        OrderedStream.RunAsync(requests, responses, start, options.MaxPendingPerStream, lifetime.ApplicationStopping, context.CancellationToken);

    /// <summary>Starts an item's work; a request that cannot even be read becomes a task that failed, so that its turn in the order is kept.</summary>
    public async ValueTask<Task<TResult>> StartAsync<TRequest, TResult>(TRequest request, Func<TRequest, ValueTask<Task<TResult>>> start)
    {
        try
        {
            return await start(request);
        }
        catch (Exception e)
        {
            return Task.FromException<TResult>(e);
        }
    }

    /// <summary>Puts an item in the queue; a request that cannot be read becomes a failed embedding, so that its turn in the order is kept.</summary>
    public static async ValueTask<PendingEmbedding> EnqueueAsync<TRequest>(TRequest request, Func<TRequest, ValueTask<PendingEmbedding>> enqueue)
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

    /// <summary>One item's answer, whatever becomes of it: the stream goes on.</summary>
    public async Task<TResponse> AnswerAsync<TResponse>(ServerCallContext context, Func<Task<TResponse>> work, Func<V1.ItemError, TResponse> failed)
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
            return failed(FaultStatus.ToItemError(fault));
        }
    }
}
