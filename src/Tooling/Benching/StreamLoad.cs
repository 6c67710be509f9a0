using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Tooling.Benching;

/// <summary>
/// Sends the same items repeatedly over several streams, each as far ahead as the options of the client allow.
/// </summary>
/// <param name="client">Client to use.</param>
/// <param name="requests">The items; at least one. Not modified.</param>
/// <param name="streams">Number of concurrent streams, 1 or more.</param>
internal sealed class StreamLoad(EmbeddingsClient client, IReadOnlyList<StreamEmbedRequest> requests, int streams)
{
    /// <summary>Sends for about <paramref name="duration"/> and waits for the last response.</summary>
    public Task<LoadResult> RunAsync(TimeSpan duration, CancellationToken cancellationToken) =>
        RunAsync(duration, long.MaxValue, cancellationToken);

    /// <summary>Sends about <paramref name="items"/> items and waits for the last response.</summary>
    public Task<LoadResult> RunAsync(long items, CancellationToken cancellationToken) =>
        RunAsync(TimeSpan.MaxValue, items, cancellationToken);

    private async Task<LoadResult> RunAsync(TimeSpan duration, long items, CancellationToken cancellationToken)
    {
        var start = TimeProvider.System.GetTimestamp();
        var share = items == long.MaxValue ? items : (items + streams - 1) / streams;
        var runs = Enumerable.Range(0, streams)
            .Select(stream => Task.Run(
                () => StreamAsync(stream, start, duration, share, cancellationToken), cancellationToken));
        return LoadResult.Sum(await Task.WhenAll(runs), TimeProvider.System.GetElapsedTime(start));
    }

    private async Task<LoadResult> StreamAsync(
        int stream, long start, TimeSpan duration, long items, CancellationToken cancellationToken)
    {
        // Responses arrive in request order, so a queue of send times gives the latency of each.
        var sent = new ConcurrentQueue<long>();
        var result = new LoadResult();
        async IAsyncEnumerable<StreamEmbedRequest> Requests([EnumeratorCancellation] CancellationToken token = default)
        {
            bool IsTime() => TimeProvider.System.GetElapsedTime(start) < duration;
            for (var i = 0L; i < items && IsTime() && !token.IsCancellationRequested; i++)
            {
                sent.Enqueue(TimeProvider.System.GetTimestamp());
                yield return requests[(int)((stream + i) % requests.Count)];
            }
        }
        await foreach (var response in client.StreamEmbedAsync(Requests(cancellationToken), cancellationToken))
        {
            sent.TryDequeue(out var sentAt);
            result.Add(response, TimeProvider.System.GetElapsedTime(sentAt));
        }
        return result;
    }
}
