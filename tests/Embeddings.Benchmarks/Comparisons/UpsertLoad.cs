using Embeddings.Benchmarks.Measuring;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>Points through <c>StreamUpsertVectors</c>, over several streams; each must be acknowledged.</summary>
internal static class UpsertLoad
{
    /// <summary>Points a second.</summary>
    public static async Task<double> RateAsync(EmbeddingsClient client, StreamUpsertVectorsRequest[] requests, int streams)
    {
        var shares = requests.Chunk((requests.Length + streams - 1) / streams);
        var seconds = await Clock.TimeAsync(() => Task.WhenAll(shares.Select(share => Task.Run(() => StreamAsync(client, share)))));
        return requests.Length / seconds;
    }

    private static async Task StreamAsync(EmbeddingsClient client, StreamUpsertVectorsRequest[] requests)
    {
        var acks = 0;
        await foreach (var response in client.StreamUpsertVectorsAsync(requests.ToAsyncEnumerable()))
        {
            if (response.ResultCase != StreamUpsertVectorsResponse.ResultOneofCase.Ack)
            {
                throw new BenchException($"a point was not stored: {response.Error?.Reason} {response.Error?.Message}");
            }
            acks++;
        }
        if (acks != requests.Length)
        {
            throw new BenchException($"{requests.Length} points were sent, {acks} acknowledged");
        }
    }
}
