using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Embeddings.Primitives;
using Qdrant.Client.Grpc;
using Match = Qdrant.Client.Grpc.Match;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Creates the payload indexes that a collection in strict mode requires for filters, when a field is first filtered
/// by. Qdrant keeps one index per field, for values of one type. A condition on values of another type replaces the
/// index, so that the results are the same as without strict mode.
/// </summary>
internal sealed partial class FilterIndexes(
    QdrantCalls calls, CollectionCatalog catalog, QdrantStoreOptions options, ILogger log)
{
    // Only of existing collections, so their number is limited.
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _locks = new(StringComparer.Ordinal);

    /// <summary>Runs a call with a filter when all fields of the filter have the indexes that they need.</summary>
    public async Task<T> RunAsync<T>(
        CollectionState state, Filter? filter, Func<Task<T>> call, CancellationToken cancellationToken)
    {
        var name = state.Info.Name;
        if (filter is null || !state.Limits.NeedsIndexes)
        {
            return await call();
        }
        if (!Missing(state, filter).Any())
        {
            try
            {
                return await call();
            }
            // Another caller or server has replaced an index, or created the collection again.
            catch (Fault fault) when (fault.Reason == Reasons.CollectionRestricted)
            {
                catalog.Forget(name);
            }
        }
        // Until the call is done, so that no other caller of this server replaces the indexes again.
        var mutex = _locks.GetOrAdd(name, _ => new(1));
        await mutex.WaitAsync(cancellationToken);
        try
        {
            var current = await catalog.RequireAsync(name, cancellationToken);
            foreach (var field in Missing(current, filter).ToList())
            {
                await CreateAsync(current, field, cancellationToken);
            }
            return await call();
        }
        finally
        {
            mutex.Release();
        }
    }

    /// <summary>
    /// Creates the index of a field unless it exists, and returns the collection's current state. FAILED_PRECONDITION if an indexed attribute
    /// has an index of another type, which is not replaced.
    /// </summary>
    public async Task<CollectionState> EnsureAsync(
        CollectionState state, string path, FieldType type, CancellationToken cancellationToken)
    {
        var name = state.Info.Name;
        var field = new IndexedField(path, type);
        if (state.Indexes.TryGetValue(field.Key, out var existing) && existing == type)
        {
            return state;
        }
        var mutex = _locks.GetOrAdd(name, _ => new(1));
        await mutex.WaitAsync(cancellationToken);
        try
        {
            catalog.Forget(name);
            var current = await catalog.RequireAsync(name, cancellationToken);
            if (!current.Indexes.TryGetValue(field.Key, out existing) || existing != type)
            {
                if (current.Info.IndexedAttributes.FirstOrDefault(one => QdrantAttributeIndexes.Paths(one)[0] == path) is { } indexed)
                {
                    throw new Fault(
                        FaultKind.FailedPrecondition,
                        Reasons.IndexConflict,
                        $"In Qdrant, this filter requires an index of attribute '{indexed.Path}' of the type {type.ToString().ToLowerInvariant()}, "
                        + $"but its index has the type {indexed.Type.ToString().ToLowerInvariant()}, and Qdrant keeps one per attribute. "
                        + "Change the indexed attributes of the collection (UpdateCollection).",
                        "filter")
                        .With(FaultKeys.Collection, name);
                }
                await CreateAsync(current, field, cancellationToken);
            }
            return current;
        }
        finally
        {
            mutex.Release();
        }
    }

    /// <summary>Creates the index of a field, which replaces one of another type.</summary>
    public async Task SetAsync(CollectionState state, string path, FieldType type, CancellationToken cancellationToken)
    {
        var field = new IndexedField(path, type);
        if (!state.Indexes.TryGetValue(field.Key, out var existing) || existing != type)
        {
            await CreateAsync(state, field, cancellationToken);
        }
    }

    /// <summary>Removes the index of a field, if it exists.</summary>
    public async Task DropAsync(CollectionState state, string path, CancellationToken cancellationToken)
    {
        if (state.Indexes.ContainsKey(KeyOf(path)))
        {
            var delete = new DeleteFieldIndexCollection { CollectionName = state.Info.Name, FieldName = path, Wait = true };
            await calls.RunAsync(
                QdrantCallKind.Manage,
                state.Info.Name,
                (client, call) => client.Points.DeleteFieldIndexAsync(delete, call),
                cancellationToken);
            state.Indexes.TryRemove(KeyOf(path), out _);
        }
    }

    private async Task CreateAsync(CollectionState state, IndexedField field, CancellationToken cancellationToken)
    {
        var name = state.Info.Name;
        if (state.Indexes.ContainsKey(field.Key))
        {
            await DropAsync(state, field.Path, cancellationToken);
        }
        else if (field.IsAttribute && state.Indexes.Keys.Count(IndexedField.IsAttributeKey) >= options.MaxIndexedAttributes)
        {
            throw new Fault(
                FaultKind.ResourceExhausted,
                Reasons.StoreFull,
                $"Collection '{name}' is in Qdrant's strict mode, in which filters need an index, and has indexes for "
                + $"{options.MaxIndexedAttributes} attributes, the maximum (Store:Qdrant:MaxIndexedAttributes). "
                + "Filter by another attribute, or raise the limit.",
                "filter")
                .With(FaultKeys.Collection, name)
                .With(FaultKeys.Limit, options.MaxIndexedAttributes)
                .With(FaultKeys.Setting, "Store:Qdrant:MaxIndexedAttributes");
        }
        var create = new CreateFieldIndexCollection
        {
            CollectionName = name,
            FieldName = field.Path,
            FieldType = field.Type,
            Wait = true,
        };
        await calls.RunAsync(
            QdrantCallKind.Manage, name, (client, call) => client.Points.CreateFieldIndexAsync(create, call), cancellationToken);
        state.Indexes[field.Key] = field.Type;
        log.IndexCreated(name, field.Path, field.Type);
    }

    private static IEnumerable<IndexedField> Missing(CollectionState state, Filter filter)
    {
        Condition[] conditions = [.. QdrantFilters.Leaves(filter)];
        IndexedField[] typed =
        [
            .. conditions
                .Where(condition => condition.Field is not null)
                .Select(condition => new IndexedField(condition.Field.Key, TypeOf(condition.Field)))
                .Distinct(),
        ];
        // Whether a field exists can be read from an index of any type.
        var untyped = conditions
            .Where(condition => condition.IsEmpty is not null)
            .Select(condition => new IndexedField(condition.IsEmpty.Key, FieldType.Keyword))
            .DistinctBy(field => field.Key)
            .Where(field => !state.Indexes.ContainsKey(field.Key) && !typed.Any(other => other.Key == field.Key));
        if (typed.GroupBy(field => field.Key).FirstOrDefault(group => group.Skip(1).Any(other => !Supports(other.Type, group.First().Type))) is { } several)
        {
            throw new Fault(
                FaultKind.FailedPrecondition,
                Reasons.IndexConflict,
                $"Collection '{state.Info.Name}' is in Qdrant's strict mode, in which filters need an index, and Qdrant keeps one index per "
                + $"field; the filter compares '{several.Key}' with values of several types. Send one filter for each type.",
                "filter")
                .With(FaultKeys.Collection, state.Info.Name);
        }
        return typed
            .Where(field => !state.Indexes.TryGetValue(field.Key, out var type) || !Supports(type, field.Type))
            .Concat(untyped);
    }

    private static FieldType TypeOf(FieldCondition condition) => condition.Match?.MatchValueCase switch
    {
        Match.MatchValueOneofCase.Keyword or Match.MatchValueOneofCase.Keywords => FieldType.Keyword,
        Match.MatchValueOneofCase.Boolean => FieldType.Bool,
        Match.MatchValueOneofCase.Integer => FieldType.Integer,
        _ => FieldType.Float,
    };

    // The operator's index for integers is kept: ranges can use it.
    private static bool Supports(FieldType existing, FieldType needed) =>
        existing == needed || (existing == FieldType.Integer && needed == FieldType.Float);

    /// <summary>A field of a filter and the type of the index that it needs.</summary>
    private sealed record IndexedField(string Path, FieldType Type)
    {
        /// <summary>The path as a key of <see cref="CollectionState.Indexes"/>.</summary>
        public string Key => KeyOf(Path);

        /// <summary>True if it is an attribute; its list items, which have a path of their own, do not count.</summary>
        public bool IsAttribute => IsAttributeKey(Path);

        public static bool IsAttributeKey(string path) =>
            (path.StartsWith(PayloadKeys.Attributes + ".", StringComparison.Ordinal)
                || path.StartsWith(PayloadKeys.Times + ".", StringComparison.Ordinal))
            && !path.EndsWith("[]", StringComparison.Ordinal);
    }

    /// <summary>Returns a path without the quotes that Qdrant may omit when it lists its indexes.</summary>
    public static string KeyOf(string path) => Quoted().Replace(path, "$1");

    [GeneratedRegex(@"""([^"".\[\]]+)""")]
    private static partial Regex Quoted();
}
