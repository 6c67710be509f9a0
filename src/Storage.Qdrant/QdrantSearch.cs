using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Searches with all queries in one round trip, or in pages if the limit is above that of the collection's strict mode.
/// Each query requests one point more than its limit, to detect a tie for the last place: then all tied points are
/// fetched, up to <see cref="MaxTied"/>, and the first in ordinal order of their ids are returned.
/// </summary>
internal sealed class QdrantSearch(QdrantCalls calls, FilterIndexes indexes, QdrantReads reads)
{
    /// <summary>Maximum number of tied points fetched per query; among more, Qdrant chooses.</summary>
    public const int MaxTied = 10_000;

    // Limits the calls for tied points in a collection with small pages.
    private const int MaxTiedPages = 100;

    // Qdrant's default is that of the graph's construction, 100 unless configured.
    private const int MinHnswEf = 128;

    public async Task<IReadOnlyList<IReadOnlyList<ScoredStoredPoint>>> SearchAsync(
        CollectionState state, IReadOnlyList<VectorQuery> queries, SearchSpec spec, CancellationToken cancellationToken)
    {
        CheckAllowed(state, spec);
        List<QueryPoints> requests = [.. queries.Select(query => ToQuery(state, query, spec))];
        var found = await QueryAsync(state, requests, cancellationToken);
        var results = new IReadOnlyList<ScoredStoredPoint>[queries.Count];
        for (var i = 0; i < results.Length; i++)
        {
            var hits = found[i];
            results[i] = IsTied(hits, spec.Limit)
                ? await BreakTieAsync(state, requests[i], hits[spec.Limit].Score, spec, cancellationToken)
                : Best(hits.Select(hit => Read(hit, spec)), spec);
        }
        return results;
    }

    private static void CheckAllowed(CollectionState state, SearchSpec spec)
    {
        if (spec.Exact && !state.Limits.AllowsExact)
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
        return queries.All(query => (long)query.Limit <= state.Limits.MaxQueryLimit)
            ? found
            // A write between two pages can move a point to the next page.
            : Array.ConvertAll(found, hits => hits.DistinctBy(hit => hit.Id).ToList());
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
            WithVectors = spec.WithVectors,
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

    private static bool IsTied(IReadOnlyList<ScoredPoint> hits, int limit) =>
        hits.Count > limit && hits[limit].Score == hits[limit - 1].Score;

    private async Task<IReadOnlyList<ScoredStoredPoint>> BreakTieAsync(
        CollectionState state, QueryPoints query, float tied, SearchSpec spec, CancellationToken cancellationToken)
    {
        // Ids first: only a few of many tied points are needed with their content.
        var again = query.Clone();
        again.WithPayload = PointMapper.IdOnly;
        again.WithVectors = false;
        again.ScoreThreshold = MathF.BitDecrement(tied);
        again.Limit = (ulong)(spec.Limit + Math.Min(MaxTied, (long)MaxTiedPages * state.Limits.MaxQueryLimit));
        var found = await QueryAsync(state, [again], cancellationToken);
        var best = Best(found[0].Select(hit => Read(hit, new() { WithPayload = false })), spec);
        if (!spec.WithPayload && !spec.WithVectors)
        {
            return best;
        }
        var fetched = await reads.FetchAsync(
            state.Info.Name,
            best.Select(hit => PointIds.Of(hit.Point.Id)),
            spec.WithPayload,
            spec.WithVectors,
            cancellationToken);
        var points = fetched
            .Select(point => PointMapper.ToStored(point.Id, point.Payload, point.Vectors, spec.WithPayload))
            .ToDictionary(point => point.Id, StringComparer.Ordinal);
        // Points deleted in between are omitted.
        return
        [
            .. best
                .Where(hit => points.ContainsKey(hit.Point.Id))
                .Select(hit => hit with { Point = points[hit.Point.Id] }),
        ];
    }

    private static IReadOnlyList<ScoredStoredPoint> Best(IEnumerable<ScoredStoredPoint> hits, SearchSpec spec) =>
    [
        .. hits
            .Where(hit => spec.ScoreThreshold is not { } threshold || hit.Score >= threshold)
            .OrderByDescending(hit => hit.Score)
            .ThenBy(hit => hit.Point.Id, StringComparer.Ordinal)
            .Take(spec.Limit),
    ];

    private static ScoredStoredPoint Read(ScoredPoint hit, SearchSpec spec) =>
        new(
            Math.Clamp(hit.Score, -1, 1),
            PointMapper.ToStored(hit.Id, hit.Payload, spec.WithVectors ? hit.Vectors : null, spec.WithPayload));
}
