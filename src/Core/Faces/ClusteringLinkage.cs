using Embeddings.Primitives.Numerics;

namespace Embeddings.Core.Faces;

/// <summary>
/// Average linkage: merges the two most similar groups that have no photo in common, again and again, while their mean
/// similarity is at least the minimum. The result is exactly that, but pairs that are each other's best are merged at once,
/// which gives the same groups: a merged group is never more similar to a third one than the more similar of its two parts
/// was (Bruynooghe 1978, Murtagh 1983). For the same reason, a list of the best partners of a group stays valid while others
/// are merged, and all groups are compared again only when its list is used up.
/// </summary>
/// <param name="groups">The groups.</param>
/// <param name="candidates">Lists of partners.</param>
/// <param name="comparison">Compares groups.</param>
/// <param name="minimum">The minimum mean similarity.</param>
internal sealed unsafe class ClusteringLinkage(
    ClusteringGroups groups, ClusteringCandidates candidates, ClusteringComparison comparison, float minimum)
{
    private readonly List<ClusteringPartner> _current = [];
    private readonly List<int> _chain = [];
    private readonly Queue<int> _starts = new();

    /// <summary>Merges groups, and returns the roots of those that result, in ascending order.</summary>
    /// <param name="roots">The roots of the groups, in ascending order.</param>
    /// <param name="compared">Called with numbers of groups that have been compared with all others, on any thread.</param>
    /// <param name="cancellationToken">Cancels the work.</param>
    public int[] Run(int[] roots, Action<int>? compared, CancellationToken cancellationToken)
    {
        var active = roots;
        var exhausted = roots.ToHashSet();
        while (exhausted.Count > 0)
        {
            comparison.Run(
                [.. active.Where(exhausted.Contains), .. active.Where(root => !exhausted.Contains(root))],
                exhausted.Count,
                amongQueries: true,
                compared,
                cancellationToken);
            compared = null;
            exhausted.Clear();
            Array.ForEach(active, _starts.Enqueue);
            while (_starts.TryDequeue(out var start))
            {
                cancellationToken.ThrowIfCancellationRequested();
                Follow(start, exhausted);
            }
            exhausted.RemoveWhere(node => groups.Root(node) != node);
            // Groups without partners never get one again.
            active = [.. active.Where(root => groups.Root(root) == root && (candidates.Count(root) > 0 || exhausted.Contains(root)))];
        }
        return [.. roots.Where(root => groups.Root(root) == root)];
    }

    /// <summary>
    /// Goes from each group to its best partner. The similarity rises with each step, so the chain ends with two groups that
    /// are each other's best partner; they are merged.
    /// </summary>
    private void Follow(int start, HashSet<int> exhausted)
    {
        _chain.Clear();
        _chain.Add(start);
        while (_chain.Count > 0
            && _chain[^1] is var node
            && groups.Root(node) == node
            && Best(node, exhausted) is { } best)
        {
            if (_chain.Count > 1 && _chain[^2] == best.Node)
            {
                _chain.RemoveRange(_chain.Count - 2, 2);
                _starts.Enqueue(Merge(node, best.Node));
            }
            else
            {
                // Rounding may have left this group out of the other's list.
                Know(best.Node, new(node, groups.Version(node), best.Similarity));
                _chain.Add(best.Node);
            }
        }
    }

    /// <summary>Returns the best partner; null if there is none, or if the list is used up.</summary>
    private ClusteringPartner? Best(int node, HashSet<int> exhausted)
    {
        Refresh(node);
        if (candidates.Count(node) > 0 && candidates[node, 0] is var best && candidates.IsCertain(node, best))
        {
            return best;
        }
        if (candidates.HasMore(node))
        {
            exhausted.Add(node);
        }
        return null;
    }

    // Brings the list up to date: partners may have been merged since.
    private void Refresh(int node)
    {
        var count = candidates.Count(node);
        var isCurrent = true;
        for (var i = 0; i < count && isCurrent; i++)
        {
            var partner = candidates[node, i];
            isCurrent = groups.Root(partner.Node) == partner.Node && groups.Version(partner.Node) == partner.Version;
        }
        if (isCurrent)
        {
            return;
        }
        _current.Clear();
        Collect(node, node, isSame: true);
        Fill(node);
    }

    private int Merge(int left, int right)
    {
        var root = groups.Merge(left, right);
        _current.Clear();
        Collect(root, left, isSame: false);
        Collect(root, right, isSame: false);
        candidates.RaiseTo(root, root == left ? right : left);
        Fill(root);
        return root;
    }

    // Adds the partners in the list of a node as partners of its group, which is the same as when the list was made or larger.
    private void Collect(int root, int node, bool isSame)
    {
        for (var i = 0; i < candidates.Count(node); i++)
        {
            var partner = candidates[node, i];
            var current = groups.Root(partner.Node);
            if (current == root || _current.Exists(known => known.Node == current) || groups.Conflict(root, current))
            {
                continue;
            }
            var isCurrent = isSame && current == partner.Node && groups.Version(current) == partner.Version;
            var similarity = isCurrent ? partner.Similarity : Similarity(root, current);
            if (similarity >= minimum)
            {
                _current.Add(new(current, groups.Version(current), similarity));
            }
        }
    }

    private void Fill(int node)
    {
        candidates.Empty(node);
        foreach (var partner in _current)
        {
            candidates.Add(node, partner);
        }
        if (_current.Count > ClusteringCandidates.Capacity)
        {
            candidates.Seal(node);
        }
    }

    private void Know(int node, ClusteringPartner partner)
    {
        for (var i = 0; i < candidates.Count(node); i++)
        {
            if (candidates[node, i].Node == partner.Node)
            {
                return;
            }
        }
        var isFull = candidates.Count(node) == ClusteringCandidates.Capacity;
        candidates.Add(node, partner);
        if (isFull)
        {
            candidates.Seal(node);
        }
    }

    private float Similarity(int left, int right)
    {
        float result = 0;
        nint row = groups.Mean(right);
        DotProducts.Compute(new ReadOnlySpan<nint>(in row), (float*)groups.Mean(left), 1, groups.Stride, new Span<float>(ref result));
        return result;
    }
}
