using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage.Sqlite.Approximate;

/// <summary>Returns the hits of each query of an exact search, best first.</summary>
internal delegate Task<Hit[][]> ExactHits(SearchPlan plan, CancellationToken cancellationToken);

/// <summary>
/// Measures the recall of an approximate index: searches the points that are nearest to some of the collection's own, exactly and in the
/// graph, and chooses the smallest number of candidates that finds enough of them.
/// </summary>
internal sealed class RecallProbe(ApproximateIndex approximate, ExactHits search)
{
    /// <summary>The maximum number of queries.</summary>
    public const int Sample = 200;

    // A query is a point, which finds itself.
    private const int Nearest = 11;

    // Queries of one exact search, during which writes wait.
    private const int AtOnce = 16;

    private static readonly int[] Choices = [32, 48, 64, 96, 128, 192, 256, 320, 384, 512, 768, 1024];

    private readonly CollectionIndex _index = approximate.Index;

    /// <summary>Returns the recall with the smallest sufficient number of candidates; null if there are too few points.</summary>
    public async Task<GraphRecall?> MeasureAsync(CancellationToken cancellationToken)
    {
        var (rows, vectors) = Points();
        if (rows.Length < 2)
        {
            return null;
        }

        var expected = new List<float[]>();
        foreach (var part in vectors.Chunk(AtOnce))
        {
            foreach (var hits in await SearchAsync(part, null, cancellationToken))
            {
                expected.Add(Scores(hits, rows[expected.Count]));
            }
        }

        foreach (var candidates in Choices)
        {
            var (found, all) = (0L, 0L);
            for (var q = 0; q < rows.Length; q++)
            {
                if (await SearchAsync([vectors[q]], candidates, cancellationToken) is not [var hits])
                {
                    return null;
                }

                // A point with the same score is as good.
                var best = expected[q];
                found += best.Length == 0 ? 0 : Math.Min(best.Length, Scores(hits, rows[q]).Count(score => score >= best[^1]));
                all += best.Length;
            }

            var recall = all == 0 ? 0 : (float)found / all;
            if (all > 0 && (recall >= ApproximateIndex.TargetRecall || candidates == Choices[^1]))
            {
                return new GraphRecall(recall, rows.Length, candidates, approximate.State.IndexedCount);
            }
        }

        return null;
    }

    private static float[] Scores(Hit[] hits, long itself) =>
        [.. hits.Where(hit => hit.Row != itself).Take(Nearest - 1).Select(static hit => hit.Score)];

    private async Task<Hit[][]> SearchAsync(float[][] vectors, int? candidates, CancellationToken cancellationToken)
    {
        var stride = _index.Vectors.Stride;
        using var queries = AlignedBuffer.ZeroedFloats(vectors.Length * stride);
        for (var i = 0; i < vectors.Length; i++)
        {
            vectors[i].CopyTo(queries.Slice<float>((nuint)(i * stride), _index.Dimension));
        }

        var plan = new SearchPlan(
            _index, queries, new IReadOnlySet<string>?[vectors.Length], Nearest, Threshold: null, Rows: null);
        if (candidates is { } count)
        {
            if (Find(plan, count, cancellationToken) is not { } rows)
            {
                return [];
            }

            plan = plan with { Rows = rows };
        }

        return await search(plan, cancellationToken);
    }

    // As row numbers, since slots are valid while the gate is held.
    private SelectedRows? Find(SearchPlan plan, int candidates, CancellationToken cancellationToken)
    {
        _index.Gate.EnterReadLock();
        try
        {
            if (approximate.Find(plan, null, candidates, workers: 1, cancellationToken) is not { } slots)
            {
                return null;
            }

            var rows = new SelectedRows();
            foreach (var slot in slots)
            {
                rows.Add(_index.Row(slot));
            }

            return rows;
        }
        finally
        {
            _index.Gate.ExitReadLock();
        }
    }

    // The vectors as they are encoded, which is as good for queries and needs no file.
    private (long[] Rows, float[][] Vectors) Points()
    {
        // The same sample for the same points, so that two measurements can be compared.
        var random = new Random(Sample);
        var slots = new HashSet<int>();
        var codes = new sbyte[_index.Dimension];
        _index.Gate.EnterReadLock();
        try
        {
            while (slots.Count < Math.Min(Sample, _index.Count))
            {
                slots.Add(random.Next(_index.Count));
            }

            return ([.. slots.Select(_index.Row)], [.. slots.Select(Vector)]);
        }
        finally
        {
            _index.Gate.ExitReadLock();
        }

        float[] Vector(int slot)
        {
            GraphCodes.Copy(_index.Vectors, slot, codes);
            var vector = Array.ConvertAll(codes, static code => (float)code);
            VectorMath.TryNormalize(vector);
            return vector;
        }
    }
}
