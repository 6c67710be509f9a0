using System.Threading.Channels;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// The only writer (group commit): takes all waiting requests up to a limit, commits them in one transaction and passes
/// the group to the <see cref="GroupFlusher"/>, which flushes and acknowledges it. The next group forms and
/// is written, so groups grow with the load and no request waits for a timer.
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

        // A channel is first in, first out: requests are written in the order of arrival.
        _queue = Channel.CreateBounded<WriteRequest>(
            new BoundedChannelOptions(options.WriteQueueLength) { SingleReader = true });

        // A dedicated thread: SQLite blocks, and a busy thread pool must not delay acknowledgements.
        new Thread(Loop) { IsBackground = true, Name = "store writer" }.Start();
    }

    /// <summary>The error of the last group, or that the disk is full; null if it was written.</summary>
    public string? LastError => _flusher.LastError ?? _transaction.DiskFull;

    /// <summary>The number of groups written so far.</summary>
    public long Groups => _flusher.Groups;

    /// <summary>
    /// Queues a request and waits until it is durable and searchable. Cancellation drops it until its group starts.
    /// </summary>
    public async Task<long> WriteAsync(WriteRequest request, CancellationToken cancellationToken)
    {
        try
        {
            await _queue.Writer.WriteAsync(request, cancellationToken);
        }
        catch (ChannelClosedException exception)
        {
            throw CollectionFaults.ShuttingDown(exception);
        }

        return await request.Completion;
    }

    /// <summary>Rejects new requests, then writes and flushes those that wait.</summary>
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
                    GroupFlusher.Complete([request], static request => request.Complete());
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
