using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Searches with all queries in one round trip. Each query requests one point more than its limit, to detect a tie for
/// the last place: then all tied points are fetched, up to <see cref="MaxTied"/>, and the first in ordinal order of
/// their ids are returned.
/// </summary>
internal sealed class QdrantSearch(QdrantCalls calls, QdrantReads reads)
{
    /// <summary>Maximum number of tied points fetched per query; among more, Qdrant chooses.</summary>
    public const int MaxTied = 10_000;

    public async Task<IReadOnlyList<IReadOnlyList<ScoredStoredPoint>>> SearchAsync(
        CollectionState state, IReadOnlyList<VectorQuery> queries, SearchSpec spec, CancellationToken cancellationToken)
    {
        var name = state.Info.Name;
        var batch = new QueryBatchPoints { CollectionName = name };
        foreach (var query in queries)
        {
            batch.QueryPoints.Add(ToQuery(state, query, spec));
        }
        var reply = await calls.RunAsync(
            QdrantCallKind.Read, name, (client, call) => client.Points.QueryBatchAsync(batch, call), cancellationToken);
        var results = new IReadOnlyList<ScoredStoredPoint>[queries.Count];
        for (var i = 0; i < results.Length; i++)
        {
            var hits = reply.Result[i].Result;
            results[i] = IsTied(hits, spec.Limit)
                ? await BreakTieAsync(name, batch.QueryPoints[i], hits[spec.Limit].Score, spec, cancellationToken)
                : Best(hits.Select(hit => Read(hit, spec)), spec);
        }
        return results;
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
        string collection, QueryPoints query, float tied, SearchSpec spec, CancellationToken cancellationToken)
    {
        // Ids first: only a few of many tied points are needed with their content.
        var again = query.Clone();
        again.WithPayload = PointMapper.IdOnly;
        again.WithVectors = false;
        again.ScoreThreshold = MathF.BitDecrement(tied);
        again.Limit = (ulong)(spec.Limit + MaxTied);
        var batch = new QueryBatchPoints { CollectionName = collection, QueryPoints = { again } };
        var reply = await calls.RunAsync(
            QdrantCallKind.Read,
            collection,
            (client, call) => client.Points.QueryBatchAsync(batch, call),
            cancellationToken);
        var best = Best(reply.Result[0].Result.Select(hit => Read(hit, new() { WithPayload = false })), spec);
        if (!spec.WithPayload && !spec.WithVectors)
        {
            return best;
        }
        var fetched = await reads.FetchAsync(
            collection,
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
