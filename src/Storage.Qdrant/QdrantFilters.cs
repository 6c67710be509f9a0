using Qdrant.Client.Grpc;
using Range = Qdrant.Client.Grpc.Range;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Translates filters to Qdrant's filters. Qdrant has no conditions on the start of a text: <see cref="PrefixExpansion"/> replaces them before.
/// </summary>
internal static class QdrantFilters
{
    /// <summary>Translates a filter and excludes the given points; null if every point matches.</summary>
    public static Filter? ToFilter(PointFilter filter, params ReadOnlySpan<Guid> except)
    {
        var result = Translate(filter);
        if (except.Length > 0)
        {
            result.MustNot.Add(Conditions.HasId(except.ToArray()));
        }
        return IsEmpty(result) ? null : result;
    }

    /// <summary>Matches points on legal hold.</summary>
    public static Condition Held => Conditions.Match(PayloadKeys.Hold, true);

    /// <summary>Matches points whose time is not later, except for those on legal hold.</summary>
    public static Filter NotAfter(string key, DateTimeOffset time, ReadOnlySpan<Guid> reserved)
    {
        var filter = new Filter
        {
            Must = { Conditions.Range(key, new() { Lte = time.ToUnixTimeMilliseconds() }) },
            MustNot = { Held },
        };
        if (reserved.Length > 0)
        {
            filter.MustNot.Add(Conditions.HasId(reserved.ToArray()));
        }
        return filter;
    }

    /// <summary>Matches the points of a job that have a face index, except for the given points.</summary>
    public static Filter OtherFaces(string jobId, IEnumerable<Guid> except, ReadOnlySpan<Guid> reserved) => new()
    {
        Must = { Conditions.MatchKeyword(PayloadKeys.JobId, jobId), Conditions.Range(PayloadKeys.FaceIndex, new() { Gte = 0 }) },
        MustNot = { Conditions.HasId([.. except, .. reserved]) },
    };

    /// <summary>Returns all conditions of a filter, those of nested filters included.</summary>
    public static IEnumerable<Condition> Leaves(Filter filter) =>
        filter.Must.Concat(filter.Should).Concat(filter.MustNot)
            .SelectMany(static condition => condition.Filter is { } nested ? Leaves(nested) : [condition]);

    // A filter without conditions matches every point.
    private static Filter Translate(PointFilter filter)
    {
        var result = new Filter();
        AddFields(result, filter);
        foreach (var condition in filter.Attributes)
        {
            Add(result, condition);
        }
        if (filter.OnHold is { } onHold)
        {
            (onHold ? result.Must : result.MustNot).Add(Held);
        }
        foreach (var part in filter.AllOf.Select(Translate).Where(part => !IsEmpty(part)))
        {
            result.Must.Add(Nested(part));
        }
        Filter[] any = [.. filter.AnyOf.Select(Translate)];
        if (!any.Any(IsEmpty))
        {
            result.Should.AddRange(any.Select(Nested));
        }
        Filter[] none = [.. filter.NoneOf.Select(Translate)];
        if (none.Any(IsEmpty) || IsContradictory(filter))
        {
            // Conditions on several types of one field could not all have an index.
            return new Filter { Must = { Never } };
        }
        result.MustNot.AddRange(none.Select(Nested));
        return result;
    }

    private static Condition Never => Conditions.HasId(Array.Empty<Guid>());

    private static Condition Nested(Filter filter) => new() { Filter = filter };

    private static bool IsEmpty(Filter filter) => filter.Must.Count + filter.Should.Count + filter.MustNot.Count == 0;

    private static void AddFields(Filter result, PointFilter filter)
    {
        if (filter.JobId is { } job)
        {
            result.Must.Add(Conditions.MatchKeyword(PayloadKeys.JobId, job));
        }
        if (filter.MediaStoreId is { } media)
        {
            result.Must.Add(Conditions.MatchKeyword(PayloadKeys.MediaStoreId, media));
        }
        if (filter.PointIds.Count > 0)
        {
            result.Must.Add(Conditions.HasId([.. filter.PointIds.Select(PointIds.Of)]));
        }
        if (filter.JobIds.Count > 0)
        {
            result.Must.Add(Conditions.Match(PayloadKeys.JobId, [.. filter.JobIds]));
        }
        if (filter.MediaStoreIds.Count > 0)
        {
            result.Must.Add(Conditions.Match(PayloadKeys.MediaStoreId, [.. filter.MediaStoreIds]));
        }
        if (filter.PointIdPrefix is not null || filter.JobIdPrefix is not null || filter.MediaStoreIdPrefix is not null)
        {
            throw NotExpanded();
        }
        if (filter.FaceIndex is { } face)
        {
            result.Must.Add(Conditions.Match(PayloadKeys.FaceIndex, (long)face));
        }
        if (filter.Confidence is { } confidence)
        {
            result.Must.Add(Conditions.Range(PayloadKeys.Confidence, Bounds(confidence.ToSingle())));
        }
        if (filter.StoredAt is { } storedAt)
        {
            result.Must.Add(Times(PayloadKeys.StoredAt, storedAt));
        }
        if (filter.ExpiresAt is { } expiresAt)
        {
            result.Must.Add(Times(PayloadKeys.ExpiresAt, expiresAt));
        }
    }

    /// <summary>Returns true if an attribute would have to have values of several types.</summary>
    private static bool IsContradictory(PointFilter filter) =>
        filter.Attributes.Count > 1
        && filter.Attributes
            .Where(condition => condition.Type is not null)
            .GroupBy(condition => condition.Path)
            .Any(group => group.DistinctBy(ValueType).Skip(1).Any());

    // A time is a text.
    private static AttributeType? ValueType(AttributeCondition condition) =>
        condition.Type == AttributeType.Time ? AttributeType.Text : condition.Type;

    private static void Add(Filter filter, AttributeCondition condition)
    {
        var path = AttributeKeys.Path(condition.Path);
        if (condition.Exists is { } exists)
        {
            // For Qdrant, lists without values are empty, too; they are stored as texts (AttributeValues).
            (exists ? filter.MustNot : filter.Must).Add(Conditions.IsEmpty(path));
            return;
        }
        if (condition.Time is { } time)
        {
            filter.Must.Add(Times(StoredTimes.Path(condition.Path), time));
            return;
        }
        filter.Must.Add(On(path, condition));
        // In Qdrant a list matches if one of its items does; in this store a list never equals its item. The path of a
        // list's items matches only lists.
        filter.MustNot.Add(On(path + "[]", condition));
    }

    private static Condition On(string path, AttributeCondition condition) => condition switch
    {
        { Text: { } text } => Conditions.MatchKeyword(path, text),
        { TextIn: { } texts } => Conditions.Match(path, [.. texts]),
        { Flag: { } flag } => Conditions.Match(path, flag),
        { Number: { } number } => Equal(path, number),
        // As ranges, which compare integers and decimals alike.
        { NumberIn: { } numbers } => Nested(new() { Should = { numbers.Distinct().Select(number => Equal(path, number)) } }),
        { Range: { } range } => Conditions.Range(path, Bounds(range)),
        { Prefix: not null } => throw NotExpanded(),
        _ => throw new ArgumentException("The condition must have a value.", nameof(condition)),
    };

    private static Condition Equal(string path, double number) => Conditions.Range(path, new() { Gte = number, Lte = number });

    private static Condition Times(string path, TimeRange time) => Conditions.Range(path, new() { Gte = time.First, Lte = time.Last });

    private static Range Bounds(NumericRange bounds)
    {
        var range = new Range();
        if (bounds.Gt is { } gt)
        {
            range.Gt = gt;
        }
        if (bounds.Gte is { } gte)
        {
            range.Gte = gte;
        }
        if (bounds.Lt is { } lt)
        {
            range.Lt = lt;
        }
        if (bounds.Lte is { } lte)
        {
            range.Lte = lte;
        }
        return range;
    }

    private static InvalidOperationException NotExpanded() => new("Prefixes must be expanded first.");
}
