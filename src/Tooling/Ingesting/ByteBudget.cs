namespace Embeddings.Tooling.Ingesting;

/// <summary>
/// Limits the bytes of the images in flight. An image that exceeds the remaining budget waits, unless nothing is in
/// flight: then it is sent alone. One caller takes; any thread may give back.
/// </summary>
internal sealed class ByteBudget(long limit)
{
    private readonly Lock _lock = new();
    private TaskCompletionSource _givenBack = NewSignal();
    private long _taken;

    public async Task TakeAsync(long bytes, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task wait;
            lock (_lock)
            {
                if (_taken == 0 || _taken + bytes <= limit)
                {
                    _taken += bytes;
                    return;
                }
                wait = _givenBack.Task;
            }
            await wait.WaitAsync(cancellationToken);
        }
    }

    public void GiveBack(long bytes)
    {
        TaskCompletionSource signal;
        lock (_lock)
        {
            _taken -= bytes;
            signal = _givenBack;
            _givenBack = NewSignal();
        }
        signal.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
