using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.State;

/// <summary>The checks of Qdrant's strict mode, with its messages.</summary>
internal static class StrictMode
{
    public static void CheckRead(Collection collection, Filter? filter, int limit = 0, bool exact = false)
    {
        if (Of(collection) is not { } strict)
        {
            return;
        }
        CheckLimit("limit", limit, strict.HasMaxQueryLimit, strict.MaxQueryLimit);
        if (exact && strict is { HasSearchAllowExact: true, SearchAllowExact: false })
        {
            throw Error("Exact search disabled!", "Set exact=false.");
        }
        CheckFilter(collection, filter);
    }

    public static void CheckFilter(Collection collection, Filter? filter)
    {
        if (filter is null || Of(collection) is not { HasUnindexedFilteringRetrieve: true, UnindexedFilteringRetrieve: false })
        {
            return;
        }
        foreach (var field in filter.Must.Concat(filter.MustNot).Select(condition => condition.Field).OfType<FieldCondition>())
        {
            FieldType[] types = field.Match?.MatchValueCase switch
            {
                Match.MatchValueOneofCase.Keyword => [FieldType.Keyword],
                Match.MatchValueOneofCase.Boolean => [FieldType.Bool],
                Match.MatchValueOneofCase.Integer => [FieldType.Integer],
                _ => [FieldType.Float, FieldType.Integer],
            };
            if (!collection.Indexes.TryGetValue(field.Key, out var type) || !types.Contains(type))
            {
                throw NoIndex(field.Key, types);
            }
        }
        foreach (var field in filter.Must.Concat(filter.MustNot).Select(condition => condition.IsEmpty).OfType<IsEmptyCondition>())
        {
            if (!collection.Indexes.ContainsKey(field.Key))
            {
                throw NoIndex(field.Key, Enum.GetValues<FieldType>());
            }
        }
    }

    public static void CheckUpsert(Collection collection, int points) =>
        CheckLimit("upsert limit", points, Of(collection)?.HasUpsertMaxBatchsize, Of(collection)?.UpsertMaxBatchsize);

    public static void CheckBatch(Collection collection, int queries) =>
        CheckLimit("search batch size", queries, Of(collection)?.HasSearchMaxBatchsize, Of(collection)?.SearchMaxBatchsize);

    public static void CheckIndex(Collection collection)
    {
        if (Of(collection) is { HasMaxPayloadIndexCount: true } strict
            && (ulong)collection.Indexes.Count >= strict.MaxPayloadIndexCount)
        {
            throw Error(
                $"Collection already has the maximum number of payload indices ({strict.MaxPayloadIndexCount})",
                "Please delete an existing index before creating a new one.");
        }
    }

    private static StrictModeConfig? Of(Collection collection) =>
        collection.Config.StrictModeConfig is { Enabled: true } strict ? strict : null;

    private static void CheckLimit(string name, int value, bool? isSet, ulong? limit)
    {
        if (isSet is true && (ulong)value > limit)
        {
            throw Error($"Limit exceeded {value} > {limit} for \"{name}\"", $"Reduce the \"{name}\" parameter to or below {limit}.");
        }
    }

    private static RpcException NoIndex(string field, FieldType[] types) => Error(
        $"Index required but not found for \"{field}\" of one of the following types: [{string.Join(", ", types)}]",
        "Create an index for this key or use a different filter.");

    private static RpcException Error(string what, string help) => Errors.Invalid($"{what}. Help: {help}");
}
