using Embeddings.Primitives;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Replaces conditions on the start of a text by the values that start so, because Qdrant before 1.19 has no such condition: its facets list
/// the distinct values of a field. Exact, also right after an acknowledged write, and limited to <see cref="MaxValues"/> distinct values among
/// the points that satisfy the other conditions of the filter.
/// </summary>
internal sealed class PrefixExpansion(QdrantCalls calls, FilterIndexes indexes, CollectionCatalog catalog)
{
    /// <summary>The maximum number of distinct values of a field.</summary>
    public const int MaxValues = 10_000;

    private const int MaxAttempts = 3;

    private static readonly PointFilter Nothing = new() { NoneOf = [PointFilter.All] };

    /// <summary>Returns the filter without prefixes. FAILED_PRECONDITION if a field has too many distinct values.</summary>
    public ValueTask<PointFilter> ExpandAsync(CollectionState state, PointFilter filter, CancellationToken cancellationToken) =>
        HasPrefix(filter) ? new(new Run(this, state, Without(filter), cancellationToken).ExpandAsync(filter)) : new(filter);

    private static bool HasPrefix(PointFilter filter) =>
        filter.PointIdPrefix is not null || filter.JobIdPrefix is not null || filter.MediaStoreIdPrefix is not null
        || filter.Attributes.Any(condition => condition.Prefix is not null)
        || filter.AllOf.Any(HasPrefix) || filter.AnyOf.Any(HasPrefix) || filter.NoneOf.Any(HasPrefix);

    // The conditions that all selected points satisfy and that have no prefixes.
    private static PointFilter Without(PointFilter filter) => filter with
    {
        PointIdPrefix = null,
        JobIdPrefix = null,
        MediaStoreIdPrefix = null,
        Attributes = [.. filter.Attributes.Where(condition => condition.Prefix is null)],
        AllOf = [.. filter.AllOf.Select(Without)],
        AnyOf = filter.AnyOf.Any(HasPrefix) ? [] : filter.AnyOf,
        NoneOf = [.. filter.NoneOf.Where(part => !HasPrefix(part))],
    };

    private async Task<IReadOnlyList<string>> ValuesAsync(
        CollectionState state, string path, PointFilter among, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var current = await indexes.EnsureAsync(state, path, FieldType.Keyword, cancellationToken);
            var limit = Math.Min(MaxValues + 1, current.Limits.MaxQueryLimit);
            try
            {
                var hits = await FacetAsync(current, path, among, limit, cancellationToken);
                return hits.Count < limit
                    ? [.. hits.Where(hit => hit.Value.HasStringValue).Select(hit => hit.Value.StringValue)]
                    : throw TooMany(current.Info.Name, path, limit);
            }
            // Another caller or server has replaced the index since.
            catch (Fault fault) when (attempt < MaxAttempts && fault.Message.Contains("index for faceting", StringComparison.Ordinal))
            {
                catalog.Forget(current.Info.Name);
                state = await catalog.RequireAsync(current.Info.Name, cancellationToken);
            }
        }
    }

    private async Task<IReadOnlyList<FacetHit>> FacetAsync(
        CollectionState state, string path, PointFilter among, int limit, CancellationToken cancellationToken)
    {
        // In strict mode, conditions on attributes require indexes, which could replace the one of this field.
        var narrow = state.Limits.NeedsIndexes
            ? among with { Attributes = [], AllOf = [], AnyOf = [], NoneOf = [], OnHold = null, StoredAt = null, ExpiresAt = null }
            : among;
        var facet = new FacetCounts
        {
            CollectionName = state.Info.Name,
            Key = path,
            Filter = QdrantFilters.ToFilter(narrow, state.ReservedIds),
            Limit = (ulong)limit,
            Exact = true,
        };
        var reply = await indexes.RunAsync(
            state,
            facet.Filter,
            () => calls.RunAsync(
                QdrantCallKind.Read, facet.CollectionName, (client, call) => client.Points.FacetAsync(facet, call), cancellationToken),
            cancellationToken);
        return reply.Hits;
    }

    private static Fault TooMany(string collection, string path, int limit) =>
        new Fault(
            FaultKind.FailedPrecondition,
            Reasons.PrefixTooBroad,
            $"In Qdrant, a prefix requires fewer than {limit} distinct values of the field among the points that satisfy the other "
            + $"conditions; '{path}' has {limit} or more. Add conditions that select fewer points, list the values, or store the part "
            + "to search for in a field of its own.",
            "filter")
            .With(FaultKeys.Collection, collection)
            .With(FaultKeys.Limit, limit - 1);

    /// <summary>One expansion, which reads the values of each field once.</summary>
    private sealed class Run(PrefixExpansion owner, CollectionState state, PointFilter among, CancellationToken cancellationToken)
    {
        private readonly Dictionary<string, IReadOnlyList<string>> _values = new(StringComparer.Ordinal);

        public async Task<PointFilter> ExpandAsync(PointFilter filter)
        {
            var added = new List<PointFilter>();
            if (filter.PointIdPrefix is { } id)
            {
                var ids = await FindAsync(PayloadKeys.PointId, id);
                added.Add(ids.Count == 0 ? Nothing : new() { PointIds = ids });
            }
            if (filter.JobIdPrefix is { } job)
            {
                var jobs = await FindAsync(PayloadKeys.JobId, job);
                added.Add(jobs.Count == 0 ? Nothing : new() { JobIds = jobs });
            }
            if (filter.MediaStoreIdPrefix is { } media)
            {
                var items = await FindAsync(PayloadKeys.MediaStoreId, media);
                added.Add(items.Count == 0 ? Nothing : new() { MediaStoreIds = items });
            }
            var attributes = new List<AttributeCondition>();
            foreach (var condition in filter.Attributes)
            {
                if (condition.Prefix is not { } prefix)
                {
                    attributes.Add(condition);
                }
                else if (await FindAsync(AttributeKeys.Path(condition.Path), prefix) is { Count: > 0 } texts)
                {
                    attributes.Add(condition with { Prefix = null, TextIn = texts });
                }
                else
                {
                    added.Add(Nothing);
                }
            }
            return filter with
            {
                PointIdPrefix = null,
                JobIdPrefix = null,
                MediaStoreIdPrefix = null,
                Attributes = attributes,
                AllOf = [.. await AllAsync(filter.AllOf), .. added],
                AnyOf = await AllAsync(filter.AnyOf),
                NoneOf = await AllAsync(filter.NoneOf),
            };
        }

        private async Task<List<PointFilter>> AllAsync(IReadOnlyList<PointFilter> filters)
        {
            var expanded = new List<PointFilter>();
            foreach (var filter in filters)
            {
                expanded.Add(await ExpandAsync(filter));
            }
            return expanded;
        }

        private async Task<IReadOnlyList<string>> FindAsync(string path, string prefix)
        {
            if (!_values.TryGetValue(path, out var values))
            {
                _values.Add(path, values = await owner.ValuesAsync(state, path, among, cancellationToken));
            }
            return [.. values.Where(value => value.StartsWith(prefix, StringComparison.Ordinal))];
        }
    }
}
