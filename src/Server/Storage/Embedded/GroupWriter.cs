using System.Threading.Channels;
using Embeddings.Server.Diagnostics;

namespace Embeddings.Server.Storage.Embedded;

/// <summary>
/// The one writer: takes all requests that wait, up to a limit, writes them in one transaction, takes them into memory and then completes their callers.
/// While one group is flushed the next one gathers, so groups grow with the load and nobody waits for a timer.
/// </summary>
internal sealed class GroupWriter : IAsyncDisposable
{
    private readonly Channel<WriteRequest> _queue;
    private readonly GroupTransaction _transaction;
    private readonly ILogger _logger;
    private readonly int _maxGroupPoints;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile string? _lastError;

    public GroupWriter(GroupTransaction transaction, EmbeddedStoreOptions options, ILogger logger)
    {
        _transaction = transaction;
        _logger = logger;
        _maxGroupPoints = options.MaxGroupPoints;

        // A channel is fair: requests are written in the order they came.
        _queue = Channel.CreateBounded<WriteRequest>(new BoundedChannelOptions(options.WriteQueueLength) { SingleReader = true });

        // A thread of its own: SQLite blocks, and a busy thread pool must not hold up the acks.
        new Thread(Loop) { IsBackground = true, Name = "store writer" }.Start();
    }

    /// <summary>Why the file could not be written at the last attempt; null where it could.</summary>
    public string? LastError => _lastError;

    /// <summary>Queues a request and waits until it is durable and searchable. Cancellation drops it as long as its group has not begun.</summary>
    public async Task<long> WriteAsync(WriteRequest request, CancellationToken cancellationToken)
    {
        try
        {
            await _queue.Writer.WriteAsync(request, cancellationToken);
        }
        catch (ChannelClosedException exception)
        {
            throw new Fault(FaultKind.Unavailable, Reasons.ShuttingDown, "the store is shutting down", inner: exception);
        }

        return await request.Completion;
    }

    /// <summary>Takes no more, and writes what waits.</summary>
    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _ended.Task;
    }

    private void Loop()
    {
        var group = new List<WriteRequest>();
        while (_queue.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            group.Clear();
            for (var points = 0; points < _maxGroupPoints && _queue.Reader.TryRead(out var request);)
            {
                if (request.DropIfCancelled())
                {
                    Answer([request], static request => request.Complete());
                    continue;
                }

                group.Add(request);
                points += request.Points;
            }

            if (group.Count > 0)
            {
                Write(group);
            }
        }

        _ended.SetResult();
    }

    private void Write(List<WriteRequest> group)
    {
        try
        {
            _transaction.Write(group);
            _lastError = null;
        }
        catch (Exception exception)
        {
            _logger.GroupFailed(group.Count, exception);
            var fault = SqliteFaults.ToFault(exception);
            _lastError = fault.Message;
            Answer(group, request => request.Fail(fault));
            return;
        }

        Answer(group, static request => request.Complete());
    }

    /// <summary>Tells callers on the thread pool, some at a time: one wake-up for each of them would cost more than their answers.</summary>
    private static void Answer(List<WriteRequest> group, Action<WriteRequest> answer)
    {
        foreach (var some in group.Chunk(64))
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                static state =>
                {
                    foreach (var request in state.Some)
                    {
                        state.Answer(request);
                    }
                },
                (Some: some, Answer: answer),
                preferLocal: false);
        }
    }
}
