using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Searches with all queries in one round trip, or in pages if the limit is above that of the collection's strict mode.
/// Each query requests one point more than its limit, to detect a tie for the last place: then all points with the score of
/// the last place are ranked, up to <see cref="MaxTied"/>, and the first in ordinal order of their ids are returned. If the content of all
/// points may be large, the first round trip returns only ids, and the content follows in replies of limited size.
/// </summary>
/// <remarks>
/// Qdrant reads payloads and vectors after it has ranked the points, so a score may be of an earlier version. Vectors are
/// therefore always requested with payloads, and the scores are computed from them; so they are for exact searches and those
/// with a threshold, since Qdrant's own scores, in single precision, may be on the other side of a border. Without any of
/// these, the scores are Qdrant's own, rounded: they may differ from the others by one step.
/// </remarks>
internal sealed partial class QdrantSearch(QdrantCalls calls, FilterIndexes indexes, QdrantReads reads, ReplySize replySize)
{
    /// <summary>Maximum number of tied points ranked per query; among more, Qdrant chooses.</summary>
    public const int MaxTied = 10_000;

    // Limits the calls for tied points in a collection with small pages.
    private const int MaxTiedPages = 100;

    // Limits the size of a request.
    private const int MaxExcluded = 20_000;

    // Qdrant's default is that of the graph's construction, 100 unless configured.
    private const int MinHnswEf = 128;

    public async Task<IReadOnlyList<IReadOnlyList<ScoredStoredPoint>>> SearchAsync(
        CollectionState state, IReadOnlyList<VectorQuery> queries, SearchSpec spec, CancellationToken cancellationToken)
    {
        CheckAllowed(state, spec);
        if (spec.GroupBy is not null)
        {
            return await GroupedAsync(state, queries, spec, cancellationToken);
        }
        var total = checked(spec.Offset + spec.Limit);
        var isComplete = spec.Offset == 0
            && (!NeedsVectors(spec) || (long)queries.Count * (total + 1) <= replySize.Points(state.Info.Dimension));
        QueryPoints[] full = [.. queries.Select(query => ToQuery(state, query, spec, spec.Filter, total + 1))];
        var found = await QueryAsync(state, isComplete ? full : [.. full.Select(IdsOnly)], cancellationToken);

        var results = new List<ScoredStoredPoint>[queries.Count];
        var missing = new List<(int Query, ScoredPoint Hit)>();
        for (var i = 0; i < results.Length; i++)
        {
            var hits = found[i];
            var isTied = hits.Count > total && IsTied(state, spec, hits[total - 1].Score, hits[total].Score);
            if (!isTied && isComplete)
            {
                results[i] = [.. Rank(hits, null).Take(total).Select(hit => Read(full[i], hit, hit.Payload, hit.Vectors, spec))];
                Observe(results[i], spec);
                continue;
            }
            var best = await BestAsync(state, full[i], hits, spec.Offset, spec.Limit, spec, cancellationToken);
            results[i] = [];
            if (NeedsVectors(spec))
            {
                missing.AddRange(best.Select(hit => (i, hit)));
            }
            else
            {
                results[i].AddRange(best.Select(hit => Read(full[i], hit, hit.Payload, null, spec)));
            }
        }
        await ReadMissingAsync(state, full, missing, results, spec, cancellationToken);
        return [.. results.Select(points => Rank(points, spec))];
    }

    private async Task ReadMissingAsync(
        CollectionState state,
        QueryPoints[] full,
        List<(int Query, ScoredPoint Hit)> missing,
        List<ScoredStoredPoint>[] results,
        SearchSpec spec,
        CancellationToken cancellationToken)
    {
        spec.Lease?.Require(missing.Count, PointSize.Least(spec.WithVectors ? state.Info.Dimension : 0));
        var read = 0;
        while (read < missing.Count)
        {
            var part = missing.Slice(read, Math.Min(replySize.Points(state.Info.Dimension), missing.Count - read));
            read += part.Count;
            var ids = part.Select(entry => entry.Hit.Id).Distinct();
            var contents = (await reads.FetchAsync(state.Info.Name, ids, spec.WithPayload, withVectors: true, cancellationToken))
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
    }

    /// <summary>
    /// Returns the best points after the offset, in no particular order among scores that are nearly equal, given the best
    /// points by Qdrant's scores, one more than are needed.
    /// </summary>
    private async Task<IEnumerable<ScoredPoint>> BestAsync(
        CollectionState state,
        QueryPoints full,
        List<ScoredPoint> hits,
        int offset,
        int limit,
        SearchSpec spec,
        CancellationToken cancellationToken)
    {
        var total = offset + limit;
        if (hits.Count > total && IsTied(state, spec, hits[total - 1].Score, hits[total].Score))
        {
            hits = await TiedAsync(
                state, full, LowestTied(state, spec, hits[total - 1].Score, hits[total].Score), cancellationToken);
        }
        var precise = IsPrecise(spec)
            ? await PreciseAsync(state, full, Doubtful(state, hits, offset, total), cancellationToken)
            : null;
        return Rank(hits, precise).Take(total).Skip(offset);
    }

    private async Task<List<ScoredPoint>> TiedAsync(
        CollectionState state, QueryPoints query, float lowest, CancellationToken cancellationToken)
    {
        var tied = IdsOnly(query);
        tied.ScoreThreshold = query.HasScoreThreshold ? Math.Max(query.ScoreThreshold, lowest) : lowest;
        tied.Limit += (ulong)Math.Min(MaxTied, (long)MaxTiedPages * state.Limits.MaxQueryLimit);
        return (await QueryAsync(state, [tied], cancellationToken))[0];
    }

    /// <summary>Computes the scores of points from their vectors.</summary>
    private async Task<Dictionary<PointId, float>> PreciseAsync(
        CollectionState state, QueryPoints query, IEnumerable<ScoredPoint> hits, CancellationToken cancellationToken)
    {
        var scores = new Dictionary<PointId, float>();
        foreach (var part in hits.Select(hit => hit.Id).Chunk(ReplySize.Vectors(state.Info.Dimension)))
        {
            var points = await reads.FetchAsync(state.Info.Name, part, withPayload: false, withVectors: true, cancellationToken);
            foreach (var point in points)
            {
                if (point.Vectors?.Vector?.GetDenseVector() is { } vector)
                {
                    scores[point.Id] = StoredVectors.Score(query.Query.Nearest.Dense.Data, vector.Data);
                }
            }
        }
        return scores;
    }

    // Points that Qdrant's scores do not place on one side of a border.
    private static IEnumerable<ScoredPoint> Doubtful(CollectionState state, List<ScoredPoint> hits, int offset, int total)
    {
        var margin = Margin(state);
        return hits.Where(hit => IsNear(hit, offset) || IsNear(hit, total));

        bool IsNear(ScoredPoint hit, int border) =>
            border > 0 && border < hits.Count && Math.Abs(hit.Score - hits[border - 1].Score) <= margin;
    }

    private static bool IsTied(CollectionState state, SearchSpec spec, float last, float next) => IsPrecise(spec)
        ? next >= last - Margin(state)
        : Score.Of(next) == Score.Of(last);

    private static float LowestTied(CollectionState state, SearchSpec spec, float last, float next) =>
        IsPrecise(spec) ? last - Margin(state) : Score.Least(Score.Of(next));

    // Scores that differ by more are in the order of the vectors' scores.
    private static float Margin(CollectionState state) => Score.Step + (2 * Slack(state));

    // The most by which a dot product in single precision, of eight lanes or more, can differ from the exact one.
    private static float Slack(CollectionState state) => ((state.Info.Dimension / 8) + 16) * MathF.ScaleB(1, -24);

    // With a threshold, a point that is just below it must not take the place of another.
    private static bool IsPrecise(SearchSpec spec) => spec.Exact is true || spec.ScoreThreshold is not null;

    private static bool NeedsVectors(SearchSpec spec) => spec.WithPayload || spec.WithVectors || IsPrecise(spec);

    private static void CheckAllowed(CollectionState state, SearchSpec spec)
    {
        if (spec.Exact is true && !state.Limits.AllowsExact)
        {
            throw QdrantFaults.Restricted(
                state.Info.Name, "exact searches are not permitted. Search without exact, or permit them (search_allow_exact).");
        }
        if (spec.HnswEf > state.Limits.MaxHnswEf)
        {
            throw QdrantFaults.Restricted(
                state.Info.Name,
                $"hnsw_ef must be at most {state.Limits.MaxHnswEf} (search_max_hnsw_ef); got {spec.HnswEf}.");
        }
    }

    /// <summary>Runs the queries and returns the points found by each.</summary>
    private async Task<List<ScoredPoint>[]> QueryAsync(
        CollectionState state, IReadOnlyList<QueryPoints> queries, CancellationToken cancellationToken)
    {
        var found = queries.Select(_ => new List<ScoredPoint>()).ToArray();
        var open = Enumerable.Range(0, queries.Count).ToList();
        for (var offset = 0L; open.Count > 0; offset += state.Limits.MaxQueryLimit)
        {
            foreach (var part in open.ToArray().Chunk(state.Limits.MaxQueries))
            {
                var batch = new QueryBatchPoints { CollectionName = state.Info.Name };
                batch.QueryPoints.AddRange(part.Select(i => Page(queries[i], offset, state.Limits)));
                var reply = await indexes.RunAsync(
                    state,
                    batch.QueryPoints[0].Filter,
                    () => calls.RunAsync(
                        QdrantCallKind.Read,
                        batch.CollectionName,
                        (client, call) => client.Points.QueryBatchAsync(batch, call),
                        cancellationToken),
                    cancellationToken);
                for (var i = 0; i < part.Length; i++)
                {
                    var page = reply.Result[i].Result;
                    found[part[i]].AddRange(page);
                    if (page.Count < (int)batch.QueryPoints[i].Limit
                        || offset + page.Count >= (long)queries[part[i]].Limit)
                    {
                        open.Remove(part[i]);
                    }
                }
            }
        }
        for (var i = 0; i < found.Length; i++)
        {
            if ((long)queries[i].Limit > state.Limits.MaxQueryLimit)
            {
                found[i] = await WithoutRepetitionsAsync(state, queries[i], found[i], cancellationToken);
            }
        }
        return found;
    }

    /// <summary>
    /// Replaces points that two pages have: a write between them has moved a point, or Qdrant has chosen other points for them
    /// among those with equal scores. Then as many points are in none of the pages.
    /// </summary>
    private async Task<List<ScoredPoint>> WithoutRepetitionsAsync(
        CollectionState state, QueryPoints query, List<ScoredPoint> hits, CancellationToken cancellationToken)
    {
        var distinct = hits.DistinctBy(hit => hit.Id).ToList();
        while (distinct.Count < hits.Count && distinct.Count <= MaxExcluded)
        {
            var others = query.Clone();
            (others.Filter ??= new()).MustNot.Add(new Condition { HasId = new() { HasId = { distinct.Select(hit => hit.Id) } } });
            others.Limit = (ulong)Math.Min(hits.Count - distinct.Count, state.Limits.MaxQueryLimit);
            var missing = (await QueryAsync(state, [others], cancellationToken))[0];
            if (missing.Count == 0)
            {
                break;
            }
            distinct.AddRange(missing);
        }
        return [.. distinct.OrderByDescending(hit => hit.Score)];
    }

    private static QueryPoints Page(QueryPoints query, long offset, CollectionLimits limits)
    {
        if ((long)query.Limit <= limits.MaxQueryLimit)
        {
            return query;
        }
        var page = query.Clone();
        page.Offset = (ulong)offset;
        page.Limit = (ulong)Math.Min((long)query.Limit - offset, limits.MaxQueryLimit);
        // The same candidates for all pages, so that no point between two pages is missing.
        var candidates = Math.Max((long)query.Limit, query.Params.HasHnswEf ? (long)query.Params.HnswEf : MinHnswEf);
        page.Params.HnswEf = (ulong)Math.Min(candidates, limits.MaxHnswEf);
        return page;
    }

    private static QueryPoints ToQuery(
        CollectionState state, VectorQuery query, SearchSpec spec, PointFilter filter, int limit)
    {
        List<Guid> excluded = [.. state.ReservedIds];
        if (query.Excluded is { } ids)
        {
            excluded.AddRange(ids.Select(PointIds.Of));
        }
        var request = new QueryPoints
        {
            CollectionName = state.Info.Name,
            Query = new() { Nearest = new() { Dense = PointMapper.ToQuery(query.Vector) } },
            Filter = QdrantFilters.ToFilter(filter, [.. excluded]),
            // Rescores results of quantized vectors with the original vectors; without quantization it has no effect.
            Params = new() { Exact = spec.Exact ?? false, Quantization = new() { Rescore = true } },
            Limit = (ulong)limit,
            WithPayload = spec.WithPayload ? true : PointMapper.IdOnly,
            WithVectors = NeedsVectors(spec),
        };
        if (spec.HnswEf is { } ef)
        {
            request.Params.HnswEf = (ulong)ef;
        }
        // Qdrant compares scores that are neither precise nor rounded; the exact threshold is applied here.
        if (spec.ScoreThreshold is { } threshold and > -1)
        {
            request.ScoreThreshold = Score.Least(threshold) - Slack(state);
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
        var score = vectors?.Vector?.GetDenseVector() is { } current
            ? StoredVectors.Score(query.Query.Nearest.Dense.Data, current.Data)
            : Score.Of(hit.Score);
        return new(score, point);
    }

    private void Observe(IReadOnlyList<ScoredStoredPoint> read, SearchSpec spec)
    {
        if (spec.WithPayload)
        {
            replySize.Observe([.. read.Select(static hit => hit.Point)]);
        }
    }

    /// <summary>Orders points by their precise scores, as far as they are known, and Qdrant's.</summary>
    private static IEnumerable<ScoredPoint> Rank(IEnumerable<ScoredPoint> hits, Dictionary<PointId, float>? precise) =>
        hits
            .OrderByDescending(hit => precise is not null && precise.TryGetValue(hit.Id, out var score) ? score : Score.Of(hit.Score))
            .ThenBy(PointMapper.IdOf, StringComparer.Ordinal);

    private static IReadOnlyList<ScoredStoredPoint> Rank(IEnumerable<ScoredStoredPoint> hits, SearchSpec spec) =>
    [
        .. hits
            .Where(hit => spec.ScoreThreshold is not { } threshold || hit.Score >= threshold)
            .OrderByDescending(hit => hit.Score)
            .ThenBy(hit => hit.Point.Id, StringComparer.Ordinal),
    ];
}
