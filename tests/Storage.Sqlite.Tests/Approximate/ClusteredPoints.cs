using System.Numerics.Tensors;

namespace Embeddings.Storage.Sqlite.Tests.Approximate;

/// <summary>Points in clusters, as embeddings have them: those of a cluster are near to each other and nearly as far from each other.</summary>
internal sealed class ClusteredPoints(int dimension, int clusters, int seed)
{
    private readonly float[][] _centers = [.. Enumerable.Range(0, clusters).Select(i => Normal(dimension, (seed * 31) + i))];

    public static string Id(int number) => $"p{number:000000}";

    public float[] Vector(int number)
    {
        var vector = Normal(dimension, unchecked((seed * 1_000_003) + number));
        TensorPrimitives.Add(_centers[(uint)(number * 2_654_435_761L) % clusters], vector, vector);
        return vector;
    }

    public StoredPoint Point(int number) => new(
        Id(number),
        Vector(number),
        new PointPayload { JobId = $"job-{number % 1000}", MediaStoreId = $"media-{number / 7 % 2}" });

    public StoredPoint[] Points(int first, int count) => [.. Enumerable.Range(first, count).AsParallel().AsOrdered().Select(Point)];

    private static float[] Normal(int dimension, int seed)
    {
        var random = new Random(seed);
        var vector = new float[dimension];
        for (var i = 0; i < dimension; i++)
        {
            vector[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return vector;
    }
}
