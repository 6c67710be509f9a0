using Grpc.Core;
using Polly;
using Polly.Retry;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>Kinds of calls; they determine timeout and retry time.</summary>
internal enum QdrantCallKind
{
    Read,
    Write,
    Manage,
}

/// <summary>
/// Runs all calls to Qdrant: each attempt has a deadline, transient failures are retried with exponential backoff and
/// jitter until the retry time of the kind has passed or the caller has cancelled, and a permanent failure becomes a
/// fault. With several nodes, the next attempt goes to another node, at once until each has been tried.
/// </summary>
internal sealed class QdrantCalls
{
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(2);
    private static readonly ResiliencePropertyKey<RetryTerms> Terms = new("terms");

    private readonly QdrantConnection _connection;
    private readonly QdrantMonitor _monitor;
    private readonly QdrantStoreOptions _options;
    private readonly TimeProvider _time;
    private readonly ResiliencePipeline _pipeline;

    public QdrantCalls(
        QdrantConnection connection, QdrantMonitor monitor, QdrantStoreOptions options, TimeProvider time, ILogger log)
    {
        _connection = connection;
        _monitor = monitor;
        _options = options;
        _time = time;
        _pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = ShouldRetry,
                // Retries are limited by time, not by number.
                MaxRetryAttempts = int.MaxValue,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = TimeSpan.FromMilliseconds(options.RetryDelayMs),
                MaxDelay = MaxDelay,
                DelayGenerator = args => ValueTask.FromResult(Delay(args)),
                OnRetry = args =>
                {
                    log.CallRetried(
                        args.AttemptNumber + 1, args.RetryDelay.TotalMilliseconds, args.Outcome.Exception?.Message ?? "");
                    return default;
                },
            })
            .Build();
    }

    /// <summary>Changes payloads of points, all operations in order.</summary>
    public Task<bool> UpdateAsync(
        string collection, IEnumerable<PointsUpdateOperation> operations, CancellationToken cancellationToken)
    {
        var request = new UpdateBatchPoints { CollectionName = collection, Wait = true, Operations = { operations } };
        return RunAsync(
            QdrantCallKind.Write,
            collection,
            async (node, call) =>
            {
                foreach (var result in (await node.Client.Points.UpdateBatchAsync(request, call)).Result)
                {
                    QdrantFaults.ThrowIfIncomplete(result);
                }
                return true;
            },
            cancellationToken);
    }

    /// <summary>True if there are several nodes, so that a write that takes long may be sent again.</summary>
    public bool CanRepeat => _connection.Nodes.Count > 1;

    /// <summary>True if a node has failed recently and there are others.</summary>
    public bool IsFailingOver => _connection.IsFailingOver;

    /// <summary>Runs a unary call with retries.</summary>
    public Task<T> RunAsync<T>(
        QdrantCallKind kind,
        string collection,
        Func<QdrantGrpcClient, CallOptions, AsyncUnaryCall<T>> call,
        CancellationToken cancellationToken) =>
        RunAsync(kind, collection, (node, options) => call(node.Client, options).ResponseAsync, cancellationToken);

    /// <summary>Runs a call with retries.</summary>
    /// <param name="kind">The kind of call.</param>
    /// <param name="collection">The name of the collection, for the fault.</param>
    /// <param name="call">One attempt.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <param name="isAbandoned">Returns true if no caller needs the result any more; called before each attempt and each pause.</param>
    public async Task<T> RunAsync<T>(
        QdrantCallKind kind,
        string collection,
        Func<QdrantNodeChannel, CallOptions, Task<T>> call,
        CancellationToken cancellationToken,
        Func<bool>? isAbandoned = null)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var (timeout, retryFor) = kind switch
        {
            QdrantCallKind.Read => (_options.ReadTimeoutSeconds, _options.ReadRetrySeconds),
            QdrantCallKind.Write => (_options.WriteTimeoutSeconds, _options.WriteRetrySeconds),
            _ => (_options.ManageTimeoutSeconds, _options.WriteRetrySeconds),
        };
        var context = ResilienceContextPool.Shared.Get(cancellationToken);
        var terms = new RetryTerms(_time.GetTimestamp(), TimeSpan.FromSeconds(retryFor), isAbandoned)
        {
            Node = _connection.Current,
        };
        context.Properties.Set(Terms, terms);
        try
        {
            return await _pipeline.ExecuteAsync(
                static (context, state) => state.self.TryAsync(state.call, state.timeout, context),
                context,
                (self: this, call, timeout));
        }
        catch (RpcException e) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(e.Status.Detail, e, cancellationToken);
        }
        catch (RpcException e)
        {
            throw QdrantFaults.ToFault(e, collection, terms.Node);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    private async ValueTask<T> TryAsync<T>(
        Func<QdrantNodeChannel, CallOptions, Task<T>> call, double timeoutSeconds, ResilienceContext context)
    {
        // The last caller may have left during the pause.
        if (context.Properties.TryGetValue(Terms, out var terms) && terms.IsAbandoned?.Invoke() is true)
        {
            throw new OperationCanceledException("No caller waits for the result any more.");
        }
        var node = terms!.Node = _connection.Current;
        var deadline = _time.GetUtcNow().UtcDateTime.AddSeconds(timeoutSeconds);
        var result = await call(node, new CallOptions(deadline: deadline, cancellationToken: context.CancellationToken));
        node.HasAnswered = true;
        return result;
    }

    private ValueTask<bool> ShouldRetry(RetryPredicateArguments<object> args)
    {
        if (args.Outcome.Exception is not RpcException exception
            || args.Context.CancellationToken.IsCancellationRequested
            || !args.Context.Properties.TryGetValue(Terms, out var terms))
        {
            return ValueTask.FromResult(false);
        }
        // An error of the configuration may be that of one node.
        var isMisconfigured = QdrantFaults.WhyMisconfigured(exception, terms.Node) is not null;
        if (isMisconfigured ? !IsAnotherUntried(args.AttemptNumber) : !QdrantFaults.IsTransient(exception))
        {
            return ValueTask.FromResult(false);
        }
        _monitor.ProbeSoon();
        var retryAfter = QdrantFaults.RetryAfter(exception);
        if (retryAfter is null)
        {
            _connection.Leave(terms.Node);
        }
        var spent = _time.GetElapsedTime(terms.Started) + (retryAfter ?? TimeSpan.Zero);
        return ValueTask.FromResult(spent < terms.RetryFor && terms.IsAbandoned?.Invoke() is not true);
    }

    // Null for exponential backoff.
    private TimeSpan? Delay(RetryDelayGeneratorArguments<object> args)
    {
        if (args.Outcome.Exception is RpcException e && QdrantFaults.RetryAfter(e) is { } requested)
        {
            return requested;
        }
        return IsAnotherUntried(args.AttemptNumber) ? TimeSpan.Zero : null;
    }

    private bool IsAnotherUntried(int attempt) => attempt < _connection.Nodes.Count - 1;

    /// <summary>Limits on the retries of a call.</summary>
    /// <param name="Started">Timestamp of the first attempt.</param>
    /// <param name="RetryFor">The time after which no attempt starts.</param>
    /// <param name="IsAbandoned">
    /// Returns true if no caller needs the result any more; null if only the token counts.
    /// </param>
    private sealed record RetryTerms(long Started, TimeSpan RetryFor, Func<bool>? IsAbandoned)
    {
        /// <summary>The node of the last attempt.</summary>
        public required QdrantNodeChannel Node { get; set; }
    }
}
