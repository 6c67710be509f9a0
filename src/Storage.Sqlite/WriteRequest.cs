namespace Embeddings.Storage.Sqlite;

/// <summary>Something a caller wants written, and waits for.</summary>
internal abstract class WriteRequest(int points, CancellationToken cancellationToken)
{
    // What callers do next runs where they are completed: on the thread pool, many of them together, and never on the writer's thread.
    private readonly TaskCompletionSource<long> _completion = new();
    private long _result;
    private Exception? _error;

    /// <summary>Points it may add: what counts towards the size of a group and the store's limit.</summary>
    public int Points { get; } = points;

    /// <summary>How many points were written or removed, once that is durable and searchable.</summary>
    public Task<long> Completion => _completion.Task;

    /// <summary>Drops the request where its caller has given up.</summary>
    public bool DropIfCancelled()
    {
        if (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }

        _error = new OperationCanceledException(cancellationToken);
        return true;
    }

    /// <summary>Runs it within the transaction; may happen again after a rollback.</summary>
    public void Run(WriteContext context)
    {
        _error = null;
        _result = Execute(context);
    }

    /// <summary>Notes that this request failed alone.</summary>
    public void Refuse(Exception error) => _error = error;

    /// <summary>Tells the caller, after the commit.</summary>
    public void Complete()
    {
        if (_error is null)
        {
            _completion.TrySetResult(_result);
        }
        else
        {
            Fail(_error);
        }
    }

    /// <summary>Tells the caller that the whole group failed.</summary>
    public void Fail(Exception error)
    {
        if (error is OperationCanceledException)
        {
            _completion.TrySetCanceled(cancellationToken);
        }
        else
        {
            _completion.TrySetException(error);
        }
    }

    protected abstract long Execute(WriteContext context);
}
