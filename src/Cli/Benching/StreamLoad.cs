using System.Runtime.CompilerServices;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Benching;

/// <summary>Sends the same items again and again over several streams, each as far ahead as the client's options let it.</summary>
/// <param name="client">Through which.</param>
/// <param name="requests">The items; at least one. Not changed.</param>
/// <param name="streams">How many streams at once, 1 or more.</param>
internal sealed class StreamLoad(EmbeddingsClient client, IReadOnlyList<StreamEmbedRequest> requests, int streams)
{
    /// <summary>Sends for about so long, waits for the last answer and tells what came.</summary>
    public Task<LoadResult> RunAsync(TimeSpan about, CancellationToken cancellationToken) => RunAsync(about, long.MaxValue, cancellationToken);

    /// <summary>Sends about so many items and waits for the last answer.</summary>
    public Task<LoadResult> RunAsync(long items, CancellationToken cancellationToken) => RunAsync(TimeSpan.MaxValue, items, cancellationToken);

    private async Task<LoadResult> RunAsync(TimeSpan about, long items, CancellationToken cancellationToken)
    {
        var began = TimeProvider.System.GetTimestamp();
        var share = items == long.MaxValue ? items : (items + streams - 1) / streams;
        var runs = Enumerable.Range(0, streams)
            .Select(stream => Task.Run(() => StreamAsync(stream, began, about, share, cancellationToken), cancellationToken));
        return LoadResult.Sum(await Task.WhenAll(runs), TimeProvider.System.GetElapsedTime(began));
    }

    private async Task<LoadResult> StreamAsync(int stream, long began, TimeSpan about, long items, CancellationToken cancellationToken)
    {
        // Answers come in the order of the requests, so that a queue of the moments of sending tells how long each took.
        var sent = new System.Collections.Concurrent.ConcurrentQueue<long>();
        var result = new LoadResult();
        async IAsyncEnumerable<StreamEmbedRequest> Requests([EnumeratorCancellation] CancellationToken token = default)
        {
            for (var i = 0L; i < items && TimeProvider.System.GetElapsedTime(began) < about && !token.IsCancellationRequested; i++)
            {
                sent.Enqueue(TimeProvider.System.GetTimestamp());
                yield return requests[(int)((stream + i) % requests.Count)];
            }
        }
        await foreach (var response in client.StreamEmbedAsync(Requests(cancellationToken), cancellationToken))
        {
            sent.TryDequeue(out var moment);
            result.Add(response, TimeProvider.System.GetElapsedTime(moment));
        }
        return result;
    }
}
