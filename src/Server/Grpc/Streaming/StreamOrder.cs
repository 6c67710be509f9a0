namespace Embeddings.Server.Grpc.Streaming;

/// <summary>
/// Turns in the order in which they were requested, so that the items of a stream reach the store in the order of the
/// stream. <see cref="Enter"/> must not be called concurrently.
/// </summary>
internal sealed class StreamOrder
{
    private Task _last = Task.CompletedTask;

    /// <summary>Returns the next turn; disposing it releases the following one.</summary>
    public Turn Enter()
    {
        var turn = new Turn(_last);
        _last = turn.Ended;
        return turn;
    }

    internal sealed class Turn(Task previous) : IDisposable
    {
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Ends when all previous turns have ended.</summary>
        public Task Previous { get; } = previous;

        public Task Ended => _ended.Task;

        // A failed item ends its turn early; later items still wait for the earlier ones.
        public void Dispose()
        {
            if (Previous.IsCompleted)
            {
                _ended.SetResult();
            }
            else
            {
                Previous.ContinueWith(_ => _ended.SetResult(), TaskScheduler.Default);
            }
        }
    }
}
