using Grpc.Core;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>A time limit for every wait, much longer than a busy machine needs.</summary>
internal static class Bounds
{
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    public static Task Bound(this Task task) => task.WaitAsync(Limit);

    public static Task<T> Bound<T>(this Task<T> task) => task.WaitAsync(Limit);

    public static Task<T> Bound<T>(this AsyncUnaryCall<T> call) => call.ResponseAsync.WaitAsync(Limit);

    /// <summary>Waits for a condition that has no event.</summary>
    public static async Task UntilAsync(Func<bool> holds)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (!holds())
        {
            await Task.Delay(5, limit.Token);
        }
    }
}

/// <summary>A count that signals when it reaches a number.</summary>
internal sealed class Milestone(int count)
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _hits;

    /// <summary>Completes when the number is reached.</summary>
    public Task Reached => _reached.Task.Bound();

    public void Hit()
    {
        if (Interlocked.Increment(ref _hits) == count)
        {
            _reached.SetResult();
        }
    }
}
