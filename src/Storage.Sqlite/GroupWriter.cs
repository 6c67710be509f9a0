using System.Threading.Channels;
using Embeddings.Primitives;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// The one writer: takes all requests that wait, up to a limit, commits them in one transaction and leaves flushing and answering to the
/// <see cref="GroupFlusher"/>. While one group is flushed the next one gathers and is written, so groups grow with the load and nobody waits for a timer.
/// </summary>
internal sealed class GroupWriter : IAsyncDisposable
{
    private readonly Channel<WriteRequest> _queue;
    private readonly GroupTransaction _transaction;
    private readonly GroupFlusher _flusher;
    private readonly ILogger _logger;
    private readonly int _maxGroupPoints;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public GroupWriter(GroupTransaction transaction, GroupFlusher flusher, EmbeddedStoreOptions options, ILogger logger)
    {
        _transaction = transaction;
        _flusher = flusher;
        _logger = logger;
        _maxGroupPoints = options.MaxGroupPoints;

        // A channel is fair: requests are written in the order they came.
        _queue = Channel.CreateBounded<WriteRequest>(new BoundedChannelOptions(options.WriteQueueLength) { SingleReader = true });

        // A thread of its own: SQLite blocks, and a busy thread pool must not hold up the acks.
        new Thread(Loop) { IsBackground = true, Name = "store writer" }.Start();
    }

    /// <summary>Why the file could not be written at the last attempt; null where it could.</summary>
    public string? LastError => _flusher.LastError;

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

    /// <summary>Takes no more, and writes and flushes what waits.</summary>
    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _ended.Task;
        _flusher.Dispose();
    }

    private void Loop()
    {
        while (_queue.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            var group = new List<WriteRequest>();
            for (var points = 0; points < _maxGroupPoints && _queue.Reader.TryRead(out var request);)
            {
                if (request.DropIfCancelled())
                {
                    GroupFlusher.Answer([request], static request => request.Complete());
                    continue;
                }

                group.Add(request);
                points += request.Points;
            }

            if (group.Count > 0)
            {
                _flusher.Add(Write(group));
            }
        }

        _ended.SetResult();
    }

    private WrittenGroup Write(List<WriteRequest> group)
    {
        if (_flusher.Broken is { } broken)
        {
            return new(group, null, broken);
        }

        try
        {
            return new(group, _transaction.Write(group), null);
        }
        catch (Exception exception)
        {
            _logger.GroupFailed(group.Count, exception);
            return new(group, null, SqliteFaults.ToFault(exception));
        }
    }
}
