using Embeddings.Benchmarks.Measuring;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>Points through <c>StreamUpsertVectors</c>, over several streams; each must be acknowledged.</summary>
internal static class UpsertLoad
{
    public const int Streams = 4;

    /// <summary>Unanswered points of each stream at most.</summary>
    public const int InFlight = 1024;

    public static EmbeddingsClient Connect(string address) => new(new EmbeddingsClientOptions { Addresses = [address], MaxInFlight = InFlight });

    /// <summary>A client with this number of items per message at most.</summary>
    public static EmbeddingsClient Connect(string address, int inFlight, int itemsPerMessage) =>
        new(new EmbeddingsClientOptions { Addresses = [address], MaxInFlight = inFlight, MaxItemsPerMessage = itemsPerMessage, MaxBytesPerMessage = 4 << 20 });

    /// <summary>Points a second.</summary>
    public static Task<double> RateAsync(EmbeddingsClient client, StreamUpsertVectorsRequest[] requests) =>
        RateAsync(client, requests, static request => request);

    /// <summary>Points a second; each request is made when it is sent.</summary>
    public static async Task<double> RateAsync<T>(EmbeddingsClient client, T[] points, Func<T, StreamUpsertVectorsRequest> toRequest)
    {
        var shares = points.Chunk((points.Length + Streams - 1) / Streams);
        var seconds = await Clock.TimeAsync(() => Task.WhenAll(
            shares.Select(share => Task.Run(() => StreamAsync(client, share.Select(toRequest).ToAsyncEnumerable(), share.Length)))));
        return points.Length / seconds;
    }

    private static async Task StreamAsync(EmbeddingsClient client, IAsyncEnumerable<StreamUpsertVectorsRequest> requests, int count)
    {
        var acks = 0;
        await foreach (var response in client.StreamUpsertVectorsAsync(requests))
        {
            if (response.ResultCase != StreamUpsertVectorsResponse.ResultOneofCase.Ack)
            {
                throw new BenchException($"a point was not stored: {response.Error?.Reason} {response.Error?.Message}");
            }
            acks++;
        }
        if (acks != count)
        {
            throw new BenchException($"{count} points were sent, {acks} acknowledged");
        }
    }
}
