using Qdrant.Client.Grpc;
using Range = Qdrant.Client.Grpc.Range;

namespace Embeddings.Storage.Qdrant;

/// <summary>Translates filters to Qdrant's filters.</summary>
internal static class QdrantFilters
{
    /// <summary>Translates a filter and excludes the given points; null if every point matches.</summary>
    public static Filter? ToFilter(PointFilter filter, params ReadOnlySpan<Guid> except)
    {
        var result = new Filter();
        if (filter.JobId is { } job)
        {
            result.Must.Add(Conditions.MatchKeyword(PayloadKeys.JobId, job));
        }
        if (filter.MediaStoreId is { } media)
        {
            result.Must.Add(Conditions.MatchKeyword(PayloadKeys.MediaStoreId, media));
        }
        if (filter.FaceIndex is { } face)
        {
            result.Must.Add(Conditions.Match(PayloadKeys.FaceIndex, (long)face));
        }
        if (filter.Confidence is { } confidence)
        {
            // Confidences are single-precision: 0.9 as a double is above 0.9 as a float, and "0.9 or more" must find
            // it.
            var range = new NumericRange(
                Single(confidence.Gt), Single(confidence.Gte), Single(confidence.Lt), Single(confidence.Lte));
            result.Must.Add(Conditions.Range(PayloadKeys.Confidence, Bounds(range)));
        }
        foreach (var condition in filter.Attributes)
        {
            Add(result, condition);
        }
        if (filter.OnHold is { } onHold)
        {
            (onHold ? result.Must : result.MustNot).Add(Held);
        }
        if (IsContradictory(filter))
        {
            // Matches no point. Conditions on several types of one field could not all have an index.
            result.Must.Clear();
            result.MustNot.Clear();
            result.Must.Add(Conditions.HasId(Array.Empty<Guid>()));
        }
        if (except.Length > 0)
        {
            result.MustNot.Add(Conditions.HasId(except.ToArray()));
        }
        return result.Must.Count + result.MustNot.Count > 0 ? result : null;
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

    /// <summary>Returns true if an attribute would have to have values of several types.</summary>
    private static bool IsContradictory(PointFilter filter) =>
        filter.Attributes.Count > 1
        && filter.Attributes
            .Where(condition => condition.Exists is null)
            .GroupBy(condition => condition.Key, StringComparer.Ordinal)
            .Any(group => group.DistinctBy(condition => (condition.Text is null, condition.Flag is null)).Skip(1).Any());

    private static void Add(Filter filter, AttributeCondition condition)
    {
        var path = AttributeKeys.Path(condition.Key);
        if (condition.Exists is { } exists)
        {
            // For Qdrant, lists without values are empty, too; they are stored as texts (AttributeValues).
            (exists ? filter.MustNot : filter.Must).Add(Conditions.IsEmpty(path));
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
        { Flag: { } flag } => Conditions.Match(path, flag),
        { Number: { } number } => Conditions.Range(path, new() { Gte = number, Lte = number }),
        { Range: { } range } => Conditions.Range(path, Bounds(range)),
        _ => throw new ArgumentException("The condition must have a value.", nameof(condition)),
    };

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

    private static double? Single(double? bound) =>
        bound is { } value ? (float)Math.Clamp(value, float.MinValue, float.MaxValue) : null;
}
