namespace Embeddings.Core.Faces;

/// <summary>
/// Lets single faces join existing groups: each face the one with the highest mean similarity, unless that has a face in the
/// same photo; of two such faces, the more similar one joins. The mean vectors of the groups do not change in this step, so
/// the result does not depend on any order.
/// </summary>
internal sealed class ClusteringJoining(
    ClusteringGroups groups, ClusteringCandidates candidates, ClusteringComparison comparison)
{
    /// <summary>Lets faces join groups, and returns those that join none.</summary>
    public int[] Run(int[] faces, int[] targets, CancellationToken cancellationToken)
    {
        if (faces.Length == 0 || targets.Length == 0)
        {
            return faces;
        }
        comparison.Run([.. faces, .. targets], faces.Length, amongQueries: false, compared: null, cancellationToken);
        var best = new PriorityQueue<(int Face, int Position), Rank>();
        foreach (var face in faces)
        {
            Enqueue(best, face, 0);
        }
        var joined = new HashSet<int>();
        while (best.TryDequeue(out var next, out var rank))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!groups.Conflict(rank.Target, next.Face))
            {
                groups.Join(rank.Target, next.Face);
                joined.Add(next.Face);
            }
            else if (next.Position + 1 < candidates.Count(next.Face))
            {
                Enqueue(best, next.Face, next.Position + 1);
            }
            else if (candidates.HasMore(next.Face))
            {
                // All groups of the list have a face in the photo now; the next list has none of them.
                comparison.Run([next.Face, .. targets], 1, amongQueries: false, compared: null, cancellationToken);
                Enqueue(best, next.Face, 0);
            }
        }
        return [.. faces.Where(face => !joined.Contains(face))];
    }

    private void Enqueue(PriorityQueue<(int Face, int Position), Rank> best, int face, int position)
    {
        if (position < candidates.Count(face))
        {
            var partner = candidates[face, position];
            best.Enqueue((face, position), new(partner.Similarity, face, partner.Node));
        }
    }

    private readonly record struct Rank(float Similarity, int Face, int Target) : IComparable<Rank>
    {
        // The highest similarity comes first.
        public int CompareTo(Rank other) =>
            Similarity != other.Similarity ? other.Similarity.CompareTo(Similarity)
            : Face != other.Face ? Face.CompareTo(other.Face)
            : Target.CompareTo(other.Target);
    }
}
