using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <content>
/// Grouped searches: the best points are read with the keys of their groups, more of them until all groups are found. Qdrant's
/// own groups would depend on the order of equal scores, would leave out points without a key, and need an index for each
/// attribute. Points that are missing in a group are found by a search within it.
/// </content>
internal sealed partial class QdrantSearch
{
    /// <summary>Maximum number of points per query among which groups are found.</summary>
    public const int MaxGrouped = 100_000;

    // Limits the calls in a collection with small pages.
    private const int MaxGroupedPages = 1000;

    private const int MinGrouped = 64;
    private const int GroupsPerCall = 100;

    private async Task<IReadOnlyList<IReadOnlyList<ScoredStoredPoint>>> GroupedAsync(
        CollectionState state, IReadOnlyList<VectorQuery> queries, SearchSpec spec, CancellationToken cancellationToken)
    {
        var first = Math.Clamp(2L * (spec.Offset + spec.Limit) * spec.GroupBy!.Size, MinGrouped, MaxHits(state));
        QueryPoints[] full = [.. queries.Select(query => ToQuery(state, query, spec, spec.Filter, (int)first))];
        var found = await QueryAsync(state, [.. full.Select(query => WithKeys(query, spec.GroupBy))], cancellationToken);

        var results = new List<ScoredStoredPoint>[queries.Count];
        var missing = new List<(int Query, ScoredPoint Hit)>();
        for (var i = 0; i < results.Length; i++)
        {
            var groups = await GroupAsync(state, queries[i], full[i], found[i], spec, cancellationToken);
            var best = groups.SelectMany(group => group.Points);
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

    /// <summary>Returns the groups of a query.</summary>
    /// <param name="state">The collection.</param>
    /// <param name="query">The query.</param>
    /// <param name="full">The query for Qdrant; its limit is raised as necessary.</param>
    /// <param name="hits">The best points.</param>
    /// <param name="spec">The parameters.</param>
    /// <param name="cancellationToken">Cancels the search.</param>
    private async Task<List<PointGroup<ScoredPoint>>> GroupAsync(
        CollectionState state,
        VectorQuery query,
        QueryPoints full,
        List<ScoredPoint> hits,
        SearchSpec spec,
        CancellationToken cancellationToken)
    {
        var by = spec.GroupBy!;
        var keys = new Dictionary<PointId, GroupKey?>();
        while (true)
        {
            var isLast = hits.Count < (int)full.Limit || (int)full.Limit >= MaxHits(state);
            // The score with which the last group is found. Points that are certainly worse change nothing.
            var border = Border();
            if (!isLast && (border is null || !IsBelow(hits[^1].Score, border.Value)))
            {
                await WidenAsync();
                continue;
            }
            var considered = border is null || (isLast && by.Size > 1)
                ? hits
                : [.. hits.TakeWhile(hit => !IsBelow(hit.Score, border.Value))];
            var precise = IsPrecise(spec) ? await PreciseAsync(state, full, considered, cancellationToken) : null;
            var builder = new GroupBuilder<ScoredPoint>(spec);
            foreach (var hit in Rank(considered, precise))
            {
                builder.Add(KeyOf(hit), hit);
            }
            List<PointGroup<ScoredPoint>> groups = [.. builder.Groups];
            if (isLast || by.Size == 1)
            {
                return groups;
            }
            // Only points at the border or above are certainly better than all that are not known.
            var certain = considered
                .Where(hit => hit.Score >= border!.Value)
                .Select(KeyOf)
                .OfType<GroupKey>()
                .CountBy(key => key)
                .ToDictionary();
            List<PointGroup<ScoredPoint>> open =
                [.. groups.Where(group => group.Key is { } key && certain.GetValueOrDefault(key) < by.Size)];
            if (open.Count == 0 || await TryCompleteAsync(state, query, open, spec, cancellationToken))
            {
                return groups;
            }
            await WidenAsync();
        }

        float? Border()
        {
            var builder = new GroupBuilder<ScoredPoint>(spec);
            foreach (var hit in hits)
            {
                builder.Add(KeyOf(hit), hit);
                if (builder.HasAllGroups)
                {
                    return hit.Score;
                }
            }
            return null;
        }

        bool IsBelow(float score, float border) =>
            IsPrecise(spec) ? score < border - Margin(state) : Score.Of(score) < Score.Of(border);

        async Task WidenAsync()
        {
            full.Limit = (ulong)Math.Min(8 * (long)full.Limit, MaxHits(state));
            hits = (await QueryAsync(state, [WithKeys(full, by)], cancellationToken))[0];
        }

        GroupKey? KeyOf(ScoredPoint hit)
        {
            if (!keys.TryGetValue(hit.Id, out var key))
            {
                keys[hit.Id] = key = by.KeyOf(PointMapper.ToStored(hit.Id, hit.Payload, null, withPayload: true).Payload);
            }
            return key;
        }
    }

    /// <summary>Finds the points of groups by searches within them. Returns false if no filter selects the groups.</summary>
    private async Task<bool> TryCompleteAsync(
        CollectionState state,
        VectorQuery query,
        List<PointGroup<ScoredPoint>> groups,
        SearchSpec spec,
        CancellationToken cancellationToken)
    {
        var size = spec.GroupBy!.Size;
        foreach (var part in groups.Chunk(GroupsPerCall))
        {
            var filters = part.Select(group => Within(spec, group.Key!.Value)).ToList();
            if (filters.Contains(null))
            {
                return false;
            }
            QueryPoints[] full = [.. filters.Select(filter => ToQuery(state, query, spec, filter!, size + 1))];
            // Filters on one attribute may need different indexes in strict mode, so calls have those of one type.
            var byType = Enumerable.Range(0, part.Length).GroupBy(i => part[i].Key!.Value switch
            {
                { Text: not null } => 0,
                { Number: not null } => 1,
                _ => 2,
            });
            foreach (var type in byType)
            {
                int[] members = [.. type];
                var found = await QueryAsync(state, [.. members.Select(i => IdsOnly(full[i]))], cancellationToken);
                for (var i = 0; i < members.Length; i++)
                {
                    var best = await BestAsync(state, full[members[i]], found[i], 0, size, spec, cancellationToken);
                    var points = part[members[i]].Points;
                    // All points of a group may have been deleted in between.
                    points.Clear();
                    points.AddRange(best);
                }
            }
        }
        return true;
    }

    /// <summary>Selects the points of a group; null if no filter does.</summary>
    private static PointFilter? Within(SearchSpec spec, GroupKey key) => spec.GroupBy! switch
    {
        { Field: GroupField.JobId } => spec.Filter with { JobId = key.Text },
        { Field: GroupField.MediaStoreId } => spec.Filter with { MediaStoreId = key.Text },
        { Path: [var name] } => spec.Filter with
        {
            Attributes = [.. spec.Filter.Attributes, new(name, Text: key.Text, Number: key.Number, Flag: key.Flag)],
        },
        _ => null,
    };

    private static int MaxHits(CollectionState state) =>
        (int)Math.Min(MaxGrouped, (long)MaxGroupedPages * state.Limits.MaxQueryLimit);

    /// <summary>Selects ids and the keys of groups.</summary>
    private static QueryPoints WithKeys(QueryPoints query, GroupSpec by)
    {
        var result = IdsOnly(query);
        result.WithPayload = PointMapper.IdOnly;
        result.WithPayload.Include.Fields.AddRange(by.Field switch
        {
            GroupField.JobId => [PayloadKeys.JobId],
            GroupField.MediaStoreId => [PayloadKeys.MediaStoreId],
            _ => AttributeValues.PathsOf(by.Path),
        });
        return result;
    }
}
