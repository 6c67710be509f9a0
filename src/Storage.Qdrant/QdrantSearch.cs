using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Searches with all queries in one round trip. Each query requests one point more than its limit, to detect a tie for
/// the last place: then all tied points are ranked, up to <see cref="MaxTied"/>, and the first in ordinal order of their
/// ids are returned. If the content of all points may be large, the first round trip returns only ids, and the content
/// follows in replies of limited size.
/// </summary>
/// <remarks>
/// Qdrant reads payloads and vectors after it has ranked the points, so a score may be of an earlier version. Vectors are
/// therefore always requested with payloads, and a score that is not that of the vector is replaced.
/// </remarks>
internal sealed class QdrantSearch(QdrantCalls calls, QdrantReads reads, ReplySize replySize)
{
    /// <summary>Maximum number of tied points ranked per query; among more, Qdrant chooses.</summary>
    public const int MaxTied = 10_000;

    // Far above the rounding errors of a score in single precision.
    private const float Tolerance = 1e-6f;

    public async Task<IReadOnlyList<IReadOnlyList<ScoredStoredPoint>>> SearchAsync(
        CollectionState state, IReadOnlyList<VectorQuery> queries, SearchSpec spec, CancellationToken cancellationToken)
    {
        var name = state.Info.Name;
        var hasContent = spec.WithPayload || spec.WithVectors;
        var isComplete = !hasContent || (long)queries.Count * (spec.Limit + 1) <= replySize.Points(state.Info.Dimension);
        QueryPoints[] full = [.. queries.Select(query => ToQuery(state, query, spec))];
        var found = await RunAsync(name, isComplete ? full : full.Select(IdsOnly), cancellationToken);

        var results = new List<ScoredStoredPoint>[queries.Count];
        var missing = new List<(int Query, ScoredPoint Hit)>();
        for (var i = 0; i < results.Length; i++)
        {
            var hits = found[i].Result;
            var isTied = hits.Count > spec.Limit && hits[spec.Limit].Score == hits[spec.Limit - 1].Score;
            var best = Rank(isTied ? await TiedAsync(name, full[i], hits[spec.Limit].Score, cancellationToken) : hits, spec);
            if (hasContent && (isTied || !isComplete))
            {
                results[i] = [];
                missing.AddRange(best.Select(hit => (i, hit)));
            }
            else
            {
                results[i] = [.. best.Select(hit => Read(full[i], hit, hit.Payload, hit.Vectors, spec))];
                Observe(results[i], spec);
            }
        }
        spec.Lease?.Require(missing.Count, PointSize.Least(spec.WithVectors ? state.Info.Dimension : 0));

        var read = 0;
        while (read < missing.Count)
        {
            var part = missing.Slice(read, Math.Min(replySize.Points(state.Info.Dimension), missing.Count - read));
            read += part.Count;
            var ids = part.Select(entry => entry.Hit.Id).Distinct();
            var contents = (await reads.FetchAsync(name, ids, spec.WithPayload, withVectors: true, cancellationToken))
                .ToDictionary(point => point.Id);
            var points = new List<ScoredStoredPoint>();
            foreach (var (query, hit) in part)
            {
                // Points deleted in between are omitted.
                if (contents.TryGetValue(hit.Id, out var point))
                {
                    points.Add(Read(full[query], hit, point.Payload, point.Vectors, spec));
                    results[query].Add(points[^1]);
                }
            }
            Observe(points, spec);
        }
        return [.. results.Select(points => Rank(points, spec))];
    }

    private async Task<IReadOnlyList<BatchResult>> RunAsync(
        string collection, IEnumerable<QueryPoints> queries, CancellationToken cancellationToken)
    {
        var batch = new QueryBatchPoints { CollectionName = collection, QueryPoints = { queries } };
        var reply = await calls.RunAsync(
            QdrantCallKind.Read,
            collection,
            (client, call) => client.Points.QueryBatchAsync(batch, call),
            cancellationToken);
        return reply.Result;
    }

    private async Task<IEnumerable<ScoredPoint>> TiedAsync(
        string collection, QueryPoints query, float score, CancellationToken cancellationToken)
    {
        var tied = IdsOnly(query);
        tied.ScoreThreshold = MathF.BitDecrement(score);
        tied.Limit += MaxTied;
        return (await RunAsync(collection, [tied], cancellationToken))[0].Result;
    }

    private static QueryPoints ToQuery(CollectionState state, VectorQuery query, SearchSpec spec)
    {
        List<Guid> excluded = [.. state.ReservedIds];
        if (query.ExcludeId is { } id)
        {
            excluded.Add(PointIds.Of(id));
        }
        var request = new QueryPoints
        {
            CollectionName = state.Info.Name,
            Query = new() { Nearest = new() { Dense = PointMapper.ToQuery(query.Vector) } },
            Filter = QdrantFilters.ToFilter(spec.Filter, [.. excluded]),
            // Rescores results of quantized vectors with the original vectors; without quantization it has no effect.
            Params = new() { Exact = spec.Exact, Quantization = new() { Rescore = true } },
            Limit = (ulong)spec.Limit + 1,
            WithPayload = spec.WithPayload ? true : PointMapper.IdOnly,
            WithVectors = spec.WithPayload || spec.WithVectors,
        };
        if (spec.HnswEf is { } ef)
        {
            request.Params.HnswEf = (ulong)ef;
        }
        // Qdrant may exclude scores equal to the threshold, so it gets the next lower value; the exact threshold is
        // applied here.
        if (spec.ScoreThreshold is { } threshold and > -1)
        {
            request.ScoreThreshold = MathF.BitDecrement(threshold);
        }
        return request;
    }

    private static QueryPoints IdsOnly(QueryPoints query)
    {
        var result = query.Clone();
        result.WithPayload = PointMapper.IdOnly;
        result.WithVectors = false;
        return result;
    }

    private static ScoredStoredPoint Read(
        QueryPoints query, ScoredPoint hit, IDictionary<string, Value> payload, VectorsOutput? vectors, SearchSpec spec)
    {
        var point = PointMapper.ToStored(hit.Id, payload, spec.WithVectors ? vectors : null, spec.WithPayload);
        spec.Lease?.Add(point);
        var score = hit.Score;
        if (vectors?.Vector?.GetDenseVector() is { } current)
        {
            var own = StoredVectors.Dot(query.Query.Nearest.Dense.Data, current.Data);
            score = MathF.Abs(own - score) > Tolerance ? own : score;
        }
        return new(Math.Clamp(score, -1, 1), point);
    }

    private void Observe(IReadOnlyList<ScoredStoredPoint> read, SearchSpec spec)
    {
        if (spec.WithPayload)
        {
            replySize.Observe([.. read.Select(static hit => hit.Point)]);
        }
    }

    private static IEnumerable<ScoredPoint> Rank(IEnumerable<ScoredPoint> hits, SearchSpec spec) =>
        hits
            .OrderByDescending(hit => Math.Clamp(hit.Score, -1, 1))
            .ThenBy(PointMapper.IdOf, StringComparer.Ordinal)
            .Take(spec.Limit);

    private static IReadOnlyList<ScoredStoredPoint> Rank(IEnumerable<ScoredStoredPoint> hits, SearchSpec spec) =>
    [
        .. hits
            .Where(hit => spec.ScoreThreshold is not { } threshold || hit.Score >= threshold)
            .OrderByDescending(hit => hit.Score)
            .ThenBy(hit => hit.Point.Id, StringComparer.Ordinal),
    ];
}
