using Embeddings.Benchmarks.Measuring;
using Embeddings.Server.Hosting;
using Embeddings.Storage;
using Embeddings.Storage.Qdrant;
using Embeddings.Tooling.Stores;
using Qdrant.Client;
using Qdrant.Client.Grpc;
using Points = Embeddings.Benchmarks.Models.Points;

namespace Embeddings.Benchmarks.References;

/// <summary>A loop of one's own around Qdrant.Client: the same points, made beforehand, in bulk upserts that wait until they are applied.</summary>
internal sealed class BareQdrant : IDisposable
{
    private const string Collection = "bare";

    // One large upsert after the other, as most would write it; and several smaller ones at once, as the service does.
    private static readonly (int Size, int AtOnce)[] Ways = [(1000, 1), (256, 4)];

    private readonly QdrantClient _client;

    private BareQdrant(QdrantClient client) => _client = client;

    /// <summary>The faster way; <see cref="FindBestAsync"/> sets it.</summary>
    public (int Size, int AtOnce) Best { get; private set; } = Ways[0];

    public static async Task<BareQdrant> ConnectAsync(string address)
    {
        var client = new QdrantClient(new Uri(address));
        await client.CreateCollectionAsync(Collection, new VectorParams { Size = Points.Dimension, Distance = Distance.Cosine });
        return new(client);
    }

    public static PointStruct[] Prepare(IEnumerable<StoredPoint> points) =>
        [.. points.Select(static point => PointMapper.ToPoint(PointIds.Of(point.Id), point))];

    /// <summary>Tries each way twice and keeps the faster.</summary>
    public async Task FindBestAsync(Func<PointStruct[]> next)
    {
        var rates = new double[Ways.Length];
        for (var i = 0; i < 2 * Ways.Length; i++)
        {
            Best = Ways[i % Ways.Length];
            rates[i % Ways.Length] = Math.Max(rates[i % Ways.Length], await RateAsync(next()));
        }
        Best = Ways[Array.IndexOf(rates, rates.Max())];
    }

    /// <summary>Points a second.</summary>
    public async Task<double> RateAsync(PointStruct[] points)
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = Best.AtOnce };
        var seconds = await Clock.TimeAsync(() => Parallel.ForEachAsync(points.Chunk(Best.Size), options, async (chunk, cancellationToken) =>
        {
            var result = await _client.UpsertAsync(Collection, chunk, wait: true, cancellationToken: cancellationToken);
            if (result.Status != UpdateStatus.Completed)
            {
                throw new BenchException($"an upsert ended as {result.Status}");
            }
        }));
        return points.Length / seconds;
    }

    public void Dispose() => _client.Dispose();
}
