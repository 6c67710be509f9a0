using System.Numerics.Tensors;
using Embeddings.Storage;

namespace Embeddings.Benchmarks.Models;

/// <summary>
/// Points in clusters of about a thousand: the center plus noise of the same length in all dimensions. The nearest points of a cluster are nearly as far
/// away as its others, which is harder for an approximate index than what models make.
/// </summary>
internal sealed class ClusteredPoints(int count)
{
    private const int PerCluster = 1000;

    private readonly float[][] _centers = [.. Enumerable.Range(0, Math.Max(1, count / PerCluster)).Select(static i => Normal(-1 - i))];

    /// <summary>Vectors of points that are stored have numbers up to the count; further ones are queries.</summary>
    public float[] Vector(int number)
    {
        var vector = Normal(number);
        TensorPrimitives.Add(vector, _centers[(uint)(number * 2_654_435_761L) % _centers.Length], vector);
        return vector;
    }

    /// <summary>Points number <paramref name="first"/> and following.</summary>
    public StoredPoint[] Stored(int first, int count)
    {
        var points = Points.Stored(first, count);
        Parallel.For(0, count, i => points[i] = points[i] with { Vector = Vector(first + i) });
        return points;
    }

    private static float[] Normal(int seed)
    {
        var random = new Random(seed);
        var vector = new float[Points.Dimension];
        for (var i = 0; i < vector.Length; i += 2)
        {
            // Two normal numbers from two uniform ones (Box and Muller).
            var (radius, angle) = (MathF.Sqrt(-2 * MathF.Log(1 - random.NextSingle())), 2 * MathF.PI * random.NextSingle());
            (vector[i], vector[i + 1]) = (radius * MathF.Cos(angle), radius * MathF.Sin(angle));
        }
        return vector;
    }
}
