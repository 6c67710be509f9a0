using Embeddings.Core;
using Embeddings.Server.Grpc.Errors;
using Embeddings.Server.Hosting;
using Embeddings.Server.Limits;
using Embeddings.Server.Security;
using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Server.Grpc.Streaming;

/// <summary>
/// State shared by all streams: their limits, the shutdown of the server, and the conversion of a failed item to its
/// response.
/// </summary>
internal sealed class StreamContext(
    ServerOptions options,
    EmbeddingMetrics metrics,
    Shutdown shutdown,
    CallerLimiter limiter,
    AliasResolver aliases,
    CollectionModels models,
    ILogger<StreamContext> log)
{
    /// <summary>
    /// Runs a stream. A failure is its item's only: it becomes the item's response, and the stream continues.
    /// </summary>
    /// <param name="requests">The requests of the client.</param>
    /// <param name="responses">The responses to the client.</param>
    /// <param name="context">The context of the call.</param>
    /// <param name="itemId">
    /// Reads the id from a request. Only names are kept until the response: pixels must not stay in memory longer than
    /// their time in the queue.
    /// </param>
    /// <param name="start">Starts the work on a request, and completes when the next request may be read.</param>
    /// <param name="failed">Makes the response to an item that failed.</param>
    /// <param name="flush">
    /// Begins the work on items that <paramref name="start"/> has left for later; called after the last item of each message,
    /// and when reading ends.
    /// </param>
    public Task RunAsync<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requests,
        IServerStreamWriter<TResponse> responses,
        ServerCallContext context,
        Func<TRequest, string> itemId,
        Func<TRequest, CancellationToken, ValueTask<PendingResponse<TResponse>>> start,
        Func<string, V1.ItemError, TResponse> failed,
        Action? flush = null)
        where TRequest : class
    {
        // Null on a server without authentication.
        var access = context.GetHttpContext().Features.Get<IAccessStream>();
        var items = context.GetHttpContext().Features.Get<IStreamItems>();
        var caller = Caller.Of(context.GetHttpContext());
        var isLimited = CallerLimiter.IsLimited(caller);
        return OrderedStream.RunAsync(
            requests,
            responses,
            StartAsync,
            options.MaxPendingPerStream,
            shutdown.Ending,
            context.CancellationToken,
            flush);

        async ValueTask<PendingResponse<TResponse>> StartAsync(TRequest request, CancellationToken cancellationToken)
        {
            PendingResponse<TResponse> pending;
            var charge = items?.Take();
            IDisposable? taken = null;
            try
            {
                access?.Require(request);
                await aliases.ResolveAsync(request!, access?.Caller ?? caller, context);
                await models.FillAsync(request!, context.CancellationToken);
                if (isLimited)
                {
                    // Nothing else is read before the caller may send it.
                    taken = await limiter.WaitAsync(caller, (IMessage)request!, cancellationToken);
                }
                pending = await start(request, cancellationToken);
            }
            catch (Exception e)
            {
                // The response keeps its place in the order.
                pending = new(Task.FromException<TResponse>(e));
            }
            if (items is not { HoldsItems: true } || isLimited)
            {
                flush?.Invoke();
            }
            return new(AnswerAsync(itemId(request), RequestNames.Of(request), pending, taken, charge));
        }

        async Task<TResponse> AnswerAsync(
            string id, RequestNames names, PendingResponse<TResponse> pending, IDisposable? taken, IDisposable? charge)
        {
            try
            {
                var response = await pending.Completion;
                metrics.ItemAnswered(context.Method, "OK");
                return response;
            }
            catch (Exception e)
            {
                var fault = FaultStatus.ToFault(e, context, log);
                metrics.ItemAnswered(context.Method, fault.Reason);
                ServerLog.FaultAnswered(log, context.Method, fault.Reason, fault.Message);
                return failed(id, FaultStatus.ToItemError(fault, names));
            }
            finally
            {
                taken?.Dispose();
                charge?.Dispose();
            }
        }
    }
}
