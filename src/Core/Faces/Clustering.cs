using Embeddings.Primitives.Numerics;

namespace Embeddings.Core.Faces;

/// <summary>A face to group.</summary>
/// <param name="Id">The id, unique.</param>
/// <param name="Photo">The photo that shows it; null if that is unknown.</param>
/// <param name="Quality">The quality, 0 to 1.</param>
/// <param name="Person">The person that it belongs to already, or null.</param>
internal readonly record struct ClusteringFace(string Id, string? Photo, float Quality, string? Person);

/// <summary>A face of a group.</summary>
/// <param name="Index">The position of the face, in the order in which the faces were added.</param>
/// <param name="Similarity">The mean similarity to the other faces of the group, -1 to 1; 1 if it is alone.</param>
/// <param name="Joined">True if it did not belong to a person before.</param>
internal readonly record struct ClusteringMember(int Index, float Similarity, bool Joined);

/// <summary>A group of faces that probably show one person.</summary>
/// <param name="Person">The existing person, or null for a new one.</param>
/// <param name="Faces">The faces, the most typical first.</param>
internal sealed record ClusteringGroup(string? Person, IReadOnlyList<ClusteringMember> Faces);

/// <summary>
/// Groups faces by persons (docs/clustering.md): 1. faces that belong to a person already are its group, 2. each other face
/// joins the person with the highest mean similarity, 3. the clear faces among the rest are grouped by average linkage,
/// 4. each unclear face joins one of these groups, 5. the unclear faces that are left are grouped among themselves. Two faces
/// of one photo never join the same group. The groups do not depend on the order of the faces. Not thread-safe.
/// </summary>
internal sealed class Clustering(int dimension) : IDisposable
{
    /// <summary>The quality from which a face is clear. Unclear faces of different persons resemble each other.</summary>
    public const float ClearQuality = 0.3f;

    // So that the vector of a group has a direction if all its faces have the quality 0.
    private const float MinWeight = 0.05f;

    // Half of the distance between two similarities that differ: their rounding is no reason to keep faces apart.
    private const float Rounding = 1f / (1 << 21);

    // Ids, photos, and all that is known of a node and a face.
    private const int BytesPerFace = 300 + ClusteringCandidates.BytesPerNode;

    private readonly ClusteringRows _rows = new(dimension);
    private readonly List<ClusteringFace> _faces = [];

    /// <summary>The faces added.</summary>
    public IReadOnlyList<ClusteringFace> Faces => _faces;

    /// <summary>The number of faces added.</summary>
    public int Count => _faces.Count;

    /// <summary>The memory that a number of faces needs at most, bytes.</summary>
    public static long BytesFor(long faces, int dimension)
    {
        // A group has at least two faces, so there are half as many means.
        var row = DotProducts.Stride(dimension) * sizeof(float);
        return faces * (row + (row / 2) + BytesPerFace);
    }

    /// <summary>Adds a face. A vector without direction is similar to no other.</summary>
    public void Add(ClusteringFace face, ReadOnlySpan<float> vector)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(vector.Length, _rows.Dimension);
        var row = _rows.Span(_rows.Add());
        if (!VectorMath.TryNormalize(vector, row[..vector.Length]))
        {
            row.Clear();
        }
        _faces.Add(face);
    }

    /// <summary>Groups the faces; the largest group comes first. Call it once.</summary>
    /// <param name="threshold">The mean similarity from which faces and groups are one person, -1 to 1.</param>
    /// <param name="threads">The number of threads to use, with that of the caller.</param>
    /// <param name="compared">Called with numbers of faces that have been compared with all others, on any thread.</param>
    /// <param name="cancellationToken">Cancels the work.</param>
    public IReadOnlyList<ClusteringGroup> Run(
        float threshold, int threads, Action<int>? compared, CancellationToken cancellationToken)
    {
        var count = _faces.Count;
        int[] order = [.. Enumerable.Range(0, count)];
        Array.Sort(order, (a, b) => string.CompareOrdinal(_faces[a].Id, _faces[b].Id));
        var groups = new ClusteringGroups(
            _rows, [.. order], [.. order.Select(face => (double)Math.Max(_faces[face].Quality, MinWeight))], Photos(order));
        var minimum = threshold - Rounding;
        var candidates = new ClusteringCandidates(count);
        var comparison = new ClusteringComparison(groups, candidates, minimum, threads);
        var joining = new ClusteringJoining(groups, candidates, comparison);
        var linkage = new ClusteringLinkage(groups, candidates, comparison, minimum);

        var persons = Persons(order, groups);
        int[] unnamed = [.. Enumerable.Range(0, count).Where(node => _faces[order[node]].Person is null)];
        compared?.Invoke(count - unnamed.Length);
        int[] rest = joining.Run(unnamed, [.. persons.Keys], cancellationToken);
        compared?.Invoke(unnamed.Length - rest.Length);
        var clear = linkage.Run([.. rest.Where(IsClear)], compared, cancellationToken);
        int[] unclear = [.. rest.Where(node => !IsClear(node))];
        var left = joining.Run(unclear, clear, cancellationToken);
        compared?.Invoke(unclear.Length - left.Length);
        int[] others = linkage.Run(left, compared, cancellationToken);

        return
        [
            .. persons.Keys.Concat(clear).Concat(others)
                .OrderByDescending(groups.Size)
                .ThenBy(root => root)
                .Select(root => new ClusteringGroup(persons.GetValueOrDefault(root), Members(groups.Members(root), order))),
        ];

        bool IsClear(int node) => _faces[order[node]].Quality >= ClearQuality;
    }

    public void Dispose() => _rows.Dispose();

    // For each node, the number of its photo; -1 if it is the only face of the photo.
    private int[] Photos(int[] order)
    {
        var shared = new Dictionary<string, int>(StringComparer.Ordinal);
        var numbers = 0;
        foreach (var photo in _faces.Select(face => face.Photo).OfType<string>())
        {
            shared[photo] = shared.TryGetValue(photo, out var number) ? (number >= 0 ? number : numbers++) : -1;
        }
        return [.. order.Select(face => _faces[face].Photo is { } photo ? shared[photo] : -1)];
    }

    // The roots of the existing persons, with their names.
    private SortedDictionary<int, string> Persons(int[] order, ClusteringGroups groups)
    {
        var roots = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var node = 0; node < order.Length; node++)
        {
            if (_faces[order[node]].Person is { } person && !roots.TryAdd(person, node))
            {
                groups.Merge(roots[person], node);
            }
        }
        return new(roots.ToDictionary(entry => entry.Value, entry => entry.Key));
    }

    private ClusteringMember[] Members(List<int> nodes, int[] order)
    {
        var sum = new double[_rows.Dimension];
        foreach (var node in nodes)
        {
            var unit = _rows.Span(order[node]);
            for (var i = 0; i < sum.Length; i++)
            {
                sum[i] += unit[i];
            }
        }
        return
        [
            .. nodes
                .Select(node => (Node: node, Similarity: Similarity(_rows.Span(order[node]), sum, nodes.Count)))
                .OrderByDescending(member => member.Similarity)
                .ThenBy(member => member.Node)
                .Select(member => new ClusteringMember(order[member.Node], member.Similarity, _faces[order[member.Node]].Person is null)),
        ];
    }

    private static float Similarity(ReadOnlySpan<float> unit, double[] sum, int faces)
    {
        if (faces == 1)
        {
            return 1;
        }
        double total = 0;
        for (var i = 0; i < sum.Length; i++)
        {
            total += unit[i] * (sum[i] - unit[i]);
        }
        return (float)(Math.Round(Math.Clamp(total / (faces - 1), -1, 1) / (2 * Rounding)) * 2 * Rounding);
    }
}
