using Embeddings.Core.Faces;

namespace Embeddings.Core.Tests.Faces;

/// <summary>Faces of invented people: a random direction for each person, and noise for each face.</summary>
internal static class SyntheticFaces
{
    /// <summary>A random unit vector.</summary>
    public static float[] Direction(Random random, int dimension)
    {
        var vector = new double[dimension];
        for (var i = 0; i < dimension; i++)
        {
            vector[i] = Normal(random);
        }
        return Unit(vector);
    }

    /// <summary>A vector near a direction: two such vectors have a similarity of about 1 / (1 + noise^2).</summary>
    public static float[] Near(float[] direction, double noise, Random random)
    {
        var scale = noise / Math.Sqrt(direction.Length);
        var vector = new double[direction.Length];
        for (var i = 0; i < vector.Length; i++)
        {
            vector[i] = direction[i] + (scale * Normal(random));
        }
        return Unit(vector);
    }

    /// <summary>Groups faces, and returns the ids of each group; ids and groups are sorted.</summary>
    public static List<string> Group(
        IEnumerable<(ClusteringFace Face, float[] Vector)> faces, float threshold, int threads = 2, Action<int>? compared = null)
    {
        var groups = Run(faces, threshold, out var ids, threads, compared);
        return
        [
            .. groups
                .Select(group => $"{group.Person}:{string.Join(',', group.Faces.Select(face => ids[face.Index]).Order(StringComparer.Ordinal))}")
                .Order(StringComparer.Ordinal),
        ];
    }

    public static IReadOnlyList<ClusteringGroup> Run(
        IEnumerable<(ClusteringFace Face, float[] Vector)> faces,
        float threshold,
        out List<string> ids,
        int threads = 2,
        Action<int>? compared = null)
    {
        var all = faces.ToList();
        ids = [.. all.Select(face => face.Face.Id)];
        using var clustering = new Clustering(all.Count == 0 ? 1 : all[0].Vector.Length);
        foreach (var (face, vector) in all)
        {
            clustering.Add(face, vector);
        }
        return clustering.Run(threshold, threads, compared, CancellationToken.None);
    }

    public static double Dot(float[] left, float[] right) => left.Zip(right, (a, b) => (double)a * b).Sum();

    private static float[] Unit(double[] vector)
    {
        var norm = Math.Sqrt(vector.Sum(value => value * value));
        return [.. vector.Select(value => (float)(value / norm))];
    }

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
