using Grpc.Core;
using Polly;
using Polly.Retry;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Every call to Qdrant goes through here: 1. with a deadline of its own, 2. again after passing failures, with growing pauses and jitter, until its kind's
/// time is up or the caller has gone, 3. as a fault where it fails for good.
/// </summary>
internal sealed class QdrantCalls
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);
    private static readonly ResiliencePropertyKey<QdrantCallTerms> Terms = new("terms");

    private readonly QdrantConnection _connection;
    private readonly QdrantMonitor _monitor;
    private readonly QdrantStoreOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly ResiliencePipeline _pipeline;

    public QdrantCalls(QdrantConnection connection, QdrantMonitor monitor, QdrantStoreOptions options, TimeProvider time, ILogger log)
    {
        (_connection, _monitor, _options, _time, _log) = (connection, monitor, options, time, log);
        _pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = ShouldRetry,
                // The caller's time ends it, not a number of tries.
                MaxRetryAttempts = int.MaxValue,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = TimeSpan.FromMilliseconds(options.RetryDelayMs),
                MaxDelay = LongestPause,
                DelayGenerator = args => ValueTask.FromResult(args.Outcome.Exception is RpcException e ? QdrantFaults.RetryAfter(e) : null),
                OnRetry = args =>
                {
                    _log.CallRetried(args.AttemptNumber + 1, args.RetryDelay.TotalMilliseconds, args.Outcome.Exception?.Message ?? "");
                    return default;
                },
            })
            .Build();
    }

    /// <param name="kind">What it does.</param>
    /// <param name="collection">The collection it is about, for the fault.</param>
    /// <param name="call">One try.</param>
    /// <param name="cancellationToken">The caller's.</param>
    /// <param name="isAbandoned">Returns true once no caller waits for the answer; checked before each try and each pause.</param>
    public async Task<T> RunAsync<T>(
        QdrantCallKind kind,
        string collection,
        Func<QdrantGrpcClient, CallOptions, Task<T>> call,
        CancellationToken cancellationToken,
        Func<bool>? isAbandoned = null)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var (timeout, retryFor) = kind switch
        {
            QdrantCallKind.Read => (_options.ReadTimeoutSeconds, _options.ReadRetrySeconds),
            QdrantCallKind.Write => (_options.WriteTimeoutSeconds, _options.WriteRetrySeconds),
            _ => (_options.ManageTimeoutSeconds, _options.ReadRetrySeconds),
        };
        var context = ResilienceContextPool.Shared.Get(cancellationToken);
        context.Properties.Set(Terms, new(_time.GetTimestamp(), TimeSpan.FromSeconds(retryFor), isAbandoned));
        try
        {
            return await _pipeline.ExecuteAsync(
                static (context, state) => state.self.TryAsync(state.call, state.timeout, context), context, (self: this, call, timeout));
        }
        catch (RpcException e) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(e.Status.Detail, e, cancellationToken);
        }
        catch (RpcException e)
        {
            throw QdrantFaults.ToFault(e, collection, _connection.Address);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    private async ValueTask<T> TryAsync<T>(Func<QdrantGrpcClient, CallOptions, Task<T>> call, double timeoutSeconds, ResilienceContext context)
    {
        // The last caller may have left during the pause.
        if (context.Properties.TryGetValue(Terms, out var terms) && terms.IsAbandoned?.Invoke() is true)
        {
            throw new OperationCanceledException("no caller waits for the answer any more");
        }
        var deadline = _time.GetUtcNow().UtcDateTime.AddSeconds(timeoutSeconds);
        return await call(_connection.Client, new CallOptions(deadline: deadline, cancellationToken: context.CancellationToken));
    }

    private ValueTask<bool> ShouldRetry(RetryPredicateArguments<object> args)
    {
        if (args.Outcome.Exception is not RpcException exception
            || !QdrantFaults.IsTransient(exception)
            || args.Context.CancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromResult(false);
        }
        _monitor.Doubt();
        args.Context.Properties.TryGetValue(Terms, out var terms);
        var spent = _time.GetElapsedTime(terms!.Began) + (QdrantFaults.RetryAfter(exception) ?? TimeSpan.Zero);
        return ValueTask.FromResult(spent < terms.RetryFor && terms.IsAbandoned?.Invoke() is not true);
    }
}
