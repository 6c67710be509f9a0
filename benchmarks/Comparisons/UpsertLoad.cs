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

    /// <summary>Points a second.</summary>
    public static async Task<double> RateAsync(EmbeddingsClient client, StreamUpsertVectorsRequest[] requests)
    {
        var shares = requests.Chunk((requests.Length + Streams - 1) / Streams);
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
