using Embeddings.Benchmarks.Measuring;
using Embeddings.Server.Hosting;
using Embeddings.Storage;
using Embeddings.Storage.Qdrant;
using Embeddings.Tooling.Stores;
using Google.Protobuf;
using Qdrant.Client;
using Qdrant.Client.Grpc;
using Points = Embeddings.Benchmarks.Models.Points;

namespace Embeddings.Benchmarks.References;

/// <summary>A loop of one's own around Qdrant.Client: the same points, made beforehand, in bulk upserts that wait until they are applied.</summary>
internal sealed class BareQdrant : IDisposable
{
    /// <summary>Upserts of 256 points, one after the other or four at once.</summary>
    public static readonly (int Size, int AtOnce)[] WaysOf256 = [(256, 1), (256, 4)];

    // One large upsert after the other, as most would write it; and several smaller ones at once, as the service does.
    private static readonly (int Size, int AtOnce)[] Ways = [(1000, 1), (256, 4)];

    private readonly QdrantClient _client;

    private readonly string _collection;

    private readonly (int Size, int AtOnce)[] _ways;

    private BareQdrant(QdrantClient client, string collection, (int Size, int AtOnce)[] ways)
    {
        (_client, _collection, _ways) = (client, collection, ways);
        Best = ways[0];
    }

    /// <summary>The faster way; <see cref="FindBestAsync"/> sets it.</summary>
    public (int Size, int AtOnce) Best { get; private set; }

    /// <summary>Creates a collection with Qdrant's defaults.</summary>
    public static async Task<BareQdrant> ConnectAsync(string address)
    {
        const string Collection = "bare";
        var client = new QdrantClient(new Uri(address));
        await client.CreateCollectionAsync(Collection, new VectorParams { Size = Points.Dimension, Distance = Distance.Cosine });
        return new(client, Collection, Ways);
    }

    /// <summary>Uses a collection that exists when the points arrive.</summary>
    public static BareQdrant Connect(Uri address, string collection, (int Size, int AtOnce)[] ways) =>
        new(new QdrantClient(address), collection, ways);

    public static PointStruct[] Prepare(IEnumerable<StoredPoint> points) =>
        [.. points.Select(static point => PointStruct.Parser.ParseFrom(PointMapper.ToPoint(PointIds.Of(point.Id), point).ToByteArray()))];

    /// <summary>A point as a program of one's own makes it.</summary>
    public static PointStruct ToPoint(Guid id, StoredPoint point)
    {
        var (payload, box) = (point.Payload, point.Payload.Bbox!.Value);
        return new()
        {
            Id = id,
            Vectors = point.Vector.ToArray(),
            Payload =
            {
                [PayloadKeys.PointId] = point.Id,
                [PayloadKeys.JobId] = payload.JobId,
                [PayloadKeys.MediaStoreId] = payload.MediaStoreId,
                [PayloadKeys.FaceIndex] = payload.FaceIndex!.Value,
                [PayloadKeys.Confidence] = payload.Confidence!.Value,
                [PayloadKeys.Bbox] = new Value
                {
                    StructValue = new() { Fields = { ["x"] = box.X, ["y"] = box.Y, ["width"] = box.Width, ["height"] = box.Height } },
                },
            },
        };
    }

    /// <summary>Tries each way twice and keeps the faster.</summary>
    /// <param name="rateAsync">One turn, which gives the points per second.</param>
    public async Task FindBestAsync(Func<Task<double>> rateAsync)
    {
        var rates = new double[_ways.Length];
        for (var i = 0; i < 2 * _ways.Length; i++)
        {
            Best = _ways[i % _ways.Length];
            rates[i % _ways.Length] = Math.Max(rates[i % _ways.Length], await rateAsync());
        }
        Best = _ways[Array.IndexOf(rates, rates.Max())];
    }

    /// <summary>Points a second.</summary>
    public Task<double> RateAsync(PointStruct[] points) => RateAsync(points, static chunk => chunk);

    /// <summary>Points a second; the messages of an upsert are made before it is sent.</summary>
    public async Task<double> RateAsync<T>(T[] points, Func<T[], PointStruct[]> toPoints)
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = Best.AtOnce };
        var seconds = await Clock.TimeAsync(() => Parallel.ForEachAsync(points.Chunk(Best.Size), options, async (chunk, cancellationToken) =>
        {
            var result = await _client.UpsertAsync(_collection, toPoints(chunk), wait: true, cancellationToken: cancellationToken);
            if (result.Status != UpdateStatus.Completed)
            {
                throw new BenchException($"an upsert ended as {result.Status}");
            }
        }));
        return points.Length / seconds;
    }

    public void Dispose() => _client.Dispose();
}
