namespace Embeddings.Cli.Ingesting;

/// <summary>
/// Bounds the bytes of the pictures in flight. A picture larger than what is left waits, unless nothing is in flight: then it goes alone. One caller
/// takes, any may give back.
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
