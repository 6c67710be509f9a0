namespace Embeddings.Core.Faces;

/// <summary>
/// For each node, its most similar partners, best first; partners with equal similarities are in the order of their numbers,
/// so that there are no ties. If there are more partners than a list holds, those that are left out rank after its floor.
/// </summary>
internal sealed class ClusteringCandidates
{
    /// <summary>The length of a list: long enough that it is rarely used up.</summary>
    public const int Capacity = 16;

    /// <summary>Memory for one node, bytes.</summary>
    public const int BytesPerNode = (Capacity * 12) + 12;

    private readonly int[] _partner;
    private readonly int[] _version;
    private readonly float[] _similarity;
    private readonly int[] _count;

    // Negative infinity if no partner was left out.
    private readonly float[] _floor;
    private readonly int[] _floorPartner;

    public ClusteringCandidates(int nodes)
    {
        _partner = new int[checked(nodes * Capacity)];
        _version = new int[_partner.Length];
        _similarity = new float[_partner.Length];
        _count = new int[nodes];
        _floor = new float[nodes];
        _floorPartner = new int[nodes];
    }

    public int Count(int node) => _count[node];

    public ClusteringPartner this[int node, int position] => new(
        _partner[(node * Capacity) + position], _version[(node * Capacity) + position], _similarity[(node * Capacity) + position]);

    public void Clear(int node)
    {
        _count[node] = 0;
        _floor[node] = float.NegativeInfinity;
        _floorPartner[node] = 0;
    }

    /// <summary>Removes the partners, but not the floor.</summary>
    public void Empty(int node) => _count[node] = 0;

    /// <summary>
    /// Adds a partner that is not in the list; if the list is full, the last one is left out. Returns the similarity below
    /// which a partner would be left out.
    /// </summary>
    public float Add(int node, ClusteringPartner partner)
    {
        var list = node * Capacity;
        var count = _count[node];
        var position = count;
        while (position > 0 && partner.IsBefore(_similarity[list + position - 1], _partner[list + position - 1]))
        {
            position--;
        }
        if (position < Capacity)
        {
            var moved = Math.Min(count, Capacity - 1) - position;
            _partner.AsSpan(list + position, moved).CopyTo(_partner.AsSpan(list + position + 1));
            _version.AsSpan(list + position, moved).CopyTo(_version.AsSpan(list + position + 1));
            _similarity.AsSpan(list + position, moved).CopyTo(_similarity.AsSpan(list + position + 1));
            (_partner[list + position], _version[list + position], _similarity[list + position]) =
                (partner.Node, partner.Version, partner.Similarity);
            _count[node] = Math.Min(count + 1, Capacity);
        }
        return _count[node] == Capacity ? _similarity[list + Capacity - 1] : float.NegativeInfinity;
    }

    /// <summary>
    /// Ends the filling of a list that partners below its last one may not have been added to: from now on, all partners
    /// outside rank after its last one.
    /// </summary>
    public void Seal(int node)
    {
        if (_count[node] == Capacity)
        {
            var last = this[node, Capacity - 1];
            Raise(node, last.Similarity, last.Node);
        }
    }

    /// <summary>Makes a floor at least as high as that of another node.</summary>
    public void RaiseTo(int node, int other) => Raise(node, _floor[other], _floorPartner[other]);

    /// <summary>Returns true if no partner outside of the list can be better than this one of the list.</summary>
    public bool IsCertain(int node, in ClusteringPartner partner) =>
        float.IsNegativeInfinity(_floor[node])
        || partner.Similarity > _floor[node]
        || (partner.Similarity == _floor[node] && partner.Node <= _floorPartner[node]);

    /// <summary>Returns true if partners were left out.</summary>
    public bool HasMore(int node) => !float.IsNegativeInfinity(_floor[node]);

    // Of two floors with the same similarity, the partners outside of both rank after the later one: a mean is equal to its
    // largest value only if all values are.
    private void Raise(int node, float floor, int partner)
    {
        if (floor > _floor[node] || (floor == _floor[node] && partner > _floorPartner[node]))
        {
            _floor[node] = floor;
            _floorPartner[node] = partner;
        }
    }
}

/// <summary>A partner of a node.</summary>
/// <param name="Node">The root of the partner when the similarity was computed.</param>
/// <param name="Version">The version of its mean vector then.</param>
/// <param name="Similarity">The mean similarity.</param>
internal readonly record struct ClusteringPartner(int Node, int Version, float Similarity)
{
    /// <summary>Returns true if this partner ranks before another one.</summary>
    public bool IsBefore(float similarity, int node) =>
        Similarity > similarity || (Similarity == similarity && Node < node);
}
