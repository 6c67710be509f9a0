namespace Embeddings.Server.Grpc.Streaming;

/// <summary>Hands out turns in the order of asking, so that a stream's items reach the store in the stream's order. Enter is called by one thread at a time.</summary>
internal sealed class StreamOrder
{
    private Task _last = Task.CompletedTask;

    /// <summary>The next turn; disposing of it lets the one after it go.</summary>
    public Turn Enter()
    {
        var turn = new Turn(_last);
        _last = turn.Ended;
        return turn;
    }

    internal sealed class Turn(Task previous) : IDisposable
    {
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Ends when all turns before this one have.</summary>
        public Task Previous { get; } = previous;

        public Task Ended => _ended.Task;

        // An item that failed gives its turn up early; those behind it still wait for those before it.
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
