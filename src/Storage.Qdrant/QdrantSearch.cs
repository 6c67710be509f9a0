using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Searches: all queries in one round trip. One point more than asked for comes back, to see whether the last place is tied: then all that are tied are
/// fetched, and of them the first by ordinal id win, as long as they are fewer than <see cref="MaxTied"/>.
/// </summary>
internal sealed class QdrantSearch(QdrantCalls calls, QdrantReads reads)
{
    /// <summary>Points looked at for one query where scores are equal; of more equals, it is Qdrant that chooses.</summary>
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
            QdrantCallKind.Read, name, async (client, call) => await client.Points.QueryBatchAsync(batch, call), cancellationToken);
        var results = new IReadOnlyList<ScoredStoredPoint>[queries.Count];
        for (var i = 0; i < results.Length; i++)
        {
            var hits = reply.Result[i].Result;
            results[i] = IsTied(hits, spec.Limit)
                ? await UntieAsync(name, batch.QueryPoints[i], hits[spec.Limit].Score, spec, cancellationToken)
                : Best(hits.Select(hit => Read(hit, spec)), spec);
        }
        return results;
    }

    private static QueryPoints ToQuery(CollectionState state, VectorQuery query, SearchSpec spec)
    {
        Span<Guid> except = [.. state.NotUsers, .. query.ExcludeId is { } id ? [PointIds.Of(id)] : Array.Empty<Guid>()];
        var request = new QueryPoints
        {
            CollectionName = state.Info.Name,
            Query = new() { Nearest = new() { Dense = PointWriter.ToQuery(query.Vector) } },
            Filter = QdrantFilters.ToFilter(spec.Filter, except),
            // What is found with quantized vectors is scored again with the originals; without quantization it changes nothing.
            Params = new() { Exact = spec.Exact, Quantization = new() { Rescore = true } },
            Limit = (ulong)spec.Limit + 1,
            WithPayload = spec.WithPayload ? true : PointReader.NameOnly,
            WithVectors = spec.WithVectors,
        };
        if (spec.HnswEf is { } ef)
        {
            request.Params.HnswEf = (ulong)ef;
        }
        // Qdrant may take the threshold itself for too low, so it gets the number below; the last word is said here.
        if (spec.ScoreThreshold is { } threshold and > -1)
        {
            request.ScoreThreshold = MathF.BitDecrement(threshold);
        }
        return request;
    }

    private static bool IsTied(IReadOnlyList<ScoredPoint> hits, int limit) => hits.Count > limit && hits[limit].Score == hits[limit - 1].Score;

    private async Task<IReadOnlyList<ScoredStoredPoint>> UntieAsync(
        string collection, QueryPoints query, float tied, SearchSpec spec, CancellationToken cancellationToken)
    {
        // Names first: of many that are tied only a few are wanted whole.
        var again = query.Clone();
        again.WithPayload = PointReader.NameOnly;
        again.WithVectors = false;
        again.ScoreThreshold = MathF.BitDecrement(tied);
        again.Limit = (ulong)(spec.Limit + MaxTied);
        var reply = await calls.RunAsync(
            QdrantCallKind.Read,
            collection,
            async (client, call) => await client.Points.QueryBatchAsync(new() { CollectionName = collection, QueryPoints = { again } }, call),
            cancellationToken);
        var best = Best(reply.Result[0].Result.Select(hit => Read(hit, new() { WithPayload = false })), spec);
        if (!spec.WithPayload && !spec.WithVectors)
        {
            return best;
        }
        var fetched = await reads.FetchAsync(collection, best.Select(hit => PointIds.Of(hit.Point.Id)), spec.WithPayload, spec.WithVectors, cancellationToken);
        var whole = fetched
            .Select(point => PointReader.Read(point.Id, point.Payload, point.Vectors, spec.WithPayload))
            .ToDictionary(point => point.Id, StringComparer.Ordinal);
        // One that was deleted in between is not an answer any more.
        return [.. best.Where(hit => whole.ContainsKey(hit.Point.Id)).Select(hit => hit with { Point = whole[hit.Point.Id] })];
    }

    private static IReadOnlyList<ScoredStoredPoint> Best(IEnumerable<ScoredStoredPoint> hits, SearchSpec spec) =>
        [.. hits.Where(hit => spec.ScoreThreshold is not { } threshold || hit.Score >= threshold)
            .OrderByDescending(hit => hit.Score).ThenBy(hit => hit.Point.Id, StringComparer.Ordinal).Take(spec.Limit)];

    private static ScoredStoredPoint Read(ScoredPoint hit, SearchSpec spec) =>
        new(Math.Clamp(hit.Score, -1, 1), PointReader.Read(hit.Id, hit.Payload, spec.WithVectors ? hit.Vectors : null, spec.WithPayload));
}
