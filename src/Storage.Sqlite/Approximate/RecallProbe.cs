using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage.Sqlite.Approximate;

/// <summary>
/// Measures the recall of an approximate index: searches the points that are nearest to some of the collection's own, in the graph and
/// exactly, and chooses the smallest number of candidates that finds enough of them.
/// </summary>
internal sealed class RecallProbe(ApproximateIndex approximate, ExactSearch exact)
{
    /// <summary>The maximum number of queries.</summary>
    public const int Sample = 200;

    private const int Nearest = 10;

    // Queries of one pass over the collection, during which writes wait.
    private const int AtOnce = 16;

    private static readonly int[] Choices = [32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024];

    private readonly CollectionIndex _index = approximate.Index;

    /// <summary>Returns the recall with the smallest sufficient number of candidates; null if there are too few points.</summary>
    public GraphRecall? Measure(CancellationToken cancellationToken)
    {
        var plans = Plans();
        try
        {
            var expected = plans.ConvertAll(plan => exact.RunAsync(plan, cancellationToken).GetAwaiter().GetResult());
            var queries = plans.Sum(static plan => plan.QueryCount);
            if (queries == 0 || expected.TrueForAll(static hits => hits.All(static found => found.Length == 0)))
            {
                return null;
            }

            foreach (var candidates in Choices)
            {
                if (Recall(plans, expected, candidates, cancellationToken) is not { } recall)
                {
                    return null;
                }

                if (recall >= ApproximateIndex.TargetRecall || candidates == Choices[^1])
                {
                    return new GraphRecall((float)recall, queries, candidates, approximate.State.IndexedCount);
                }
            }

            return null;
        }
        finally
        {
            plans.ForEach(static plan => plan.Queries.Dispose());
        }
    }

    /// <summary>Returns the share of the expected points that a search finds; a point with the same score counts as well.</summary>
    private double? Recall(List<SearchPlan> plans, List<Hit[][]> expected, int candidates, CancellationToken cancellationToken)
    {
        var (found, all) = (0L, 0L);
        for (var i = 0; i < plans.Count; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (Approximate(plans[i], candidates, cancellationToken) is not { } hits)
            {
                return null;
            }

            for (var q = 0; q < hits.Length; q++)
            {
                var best = expected[i][q];
                if (best.Length > 0)
                {
                    found += Math.Min(best.Length, hits[q].Count(hit => hit.Score >= best[^1].Score));
                    all += best.Length;
                }
            }
        }

        return all == 0 ? null : (double)found / all;
    }

    private Hit[][]? Approximate(SearchPlan plan, int candidates, CancellationToken cancellationToken)
    {
        _index.Gate.EnterReadLock();
        try
        {
            return approximate.Search(plan, candidates, workers: 1, cancellationToken);
        }
        finally
        {
            _index.Gate.ExitReadLock();
        }
    }

    private List<SearchPlan> Plans()
    {
        // The same sample for the same points, so that two measurements can be compared.
        var random = new Random(Sample);
        var plans = new List<SearchPlan>();
        _index.Gate.EnterReadLock();
        try
        {
            var slots = new HashSet<int>();
            while (slots.Count < Math.Min(Sample, _index.Count))
            {
                slots.Add(random.Next(_index.Count));
            }

            foreach (var part in slots.Chunk(AtOnce))
            {
                var stride = _index.Vectors.Stride;
                var queries = AlignedBuffer.ZeroedFloats(part.Length * stride);
                for (var i = 0; i < part.Length; i++)
                {
                    _index.Vectors.Span(part[i]).CopyTo(queries.Slice<float>((nuint)(i * stride), _index.Dimension));
                }

                plans.Add(new SearchPlan(_index, queries, [.. part.Select(_index.Id)], Nearest, Threshold: null, Rows: null));
            }
        }
        finally
        {
            _index.Gate.ExitReadLock();
        }

        return plans;
    }
}
