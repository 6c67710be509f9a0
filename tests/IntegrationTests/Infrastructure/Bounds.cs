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
