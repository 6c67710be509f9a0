namespace Embeddings.Storage.Qdrant;

/// <summary>What one caller wants written: done when all its points are, failed when one is not.</summary>
internal sealed class UpsertJob(int points, CancellationToken cancellationToken)
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _remaining = points;

    public Task Task => _done.Task;

    /// <summary>Whether the caller has gone: what was not sent yet need not be.</summary>
    public bool IsCancelled => cancellationToken.IsCancellationRequested;

    public void PointStored()
    {
        if (Interlocked.Decrement(ref _remaining) == 0)
        {
            _done.TrySetResult();
        }
    }

    public void Fail(Exception exception) => _done.TrySetException(exception);

    public void Cancel() => _done.TrySetCanceled(cancellationToken);
}
