namespace Embeddings.Tooling.Ingesting;

/// <summary>
/// Limits the bytes of the images in flight. An image that exceeds the remaining budget waits, unless nothing is in
/// flight: then it is sent alone. One caller takes; any thread may give back.
/// </summary>
internal sealed class ByteBudget(long limit)
{
    private readonly SemaphoreSlim _givenBack = new(0);
    private long _taken;

    public async Task TakeAsync(long bytes, CancellationToken cancellationToken)
    {
        // Only this caller adds, so the budget does not shrink between the check and the addition.
        while (Interlocked.Read(ref _taken) is > 0 and var taken && taken + bytes > limit)
        {
            await _givenBack.WaitAsync(cancellationToken);
        }
        Interlocked.Add(ref _taken, bytes);
    }

    public void GiveBack(long bytes)
    {
        Interlocked.Add(ref _taken, -bytes);
        _givenBack.Release();
    }
}
