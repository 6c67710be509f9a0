using Embeddings.Primitives;
using Embeddings.Storage;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>Converts filters of the contract to filters of the store. Faults name the field by its path in nested filters.</summary>
internal static class FilterMapping
{
    private const int MaxValues = 1000;
    private const int MaxTextBytes = 64 * 1024;
    private const int MaxPrefixBytes = 1024;

    // 0001-01-01 to 9999-12-31, the range of google.protobuf.Timestamp.
    private const long MinSeconds = -62_135_596_800;
    private const long MaxSeconds = 253_402_300_799;

    public static PointFilter ToStored(V1.Filter? filter)
    {
        if (filter is null)
        {
            return PointFilter.All;
        }
        var stored = ToStored(filter, "filter", 1);
        var conditions = Count(stored);
        return conditions <= PointFilter.MaxConditions
            ? stored
            : throw Fault.Invalid(
                Reasons.FieldTooLong,
                "filter",
                $"filter must contain at most {PointFilter.MaxConditions} conditions, those of nested filters included; got {conditions}. "
                + "Lists such as job_ids and text_in count as one condition.")
                .With(FaultKeys.Limit, PointFilter.MaxConditions)
                .With(FaultKeys.Actual, conditions);
    }

    /// <summary>Converts the names of an attribute's path.</summary>
    public static AttributePath Path(IReadOnlyList<string> names, string field)
    {
        Require.NotEmpty(names.Count, field, AttributePath.MaxNames);
        return new([.. names.Select((name, i) => Require.Text(name, $"{field}[{i}]", AttributePath.MaxNameBytes))]);
    }

    private static PointFilter ToStored(V1.Filter filter, string field, int level)
    {
        if (level > PointFilter.MaxDepth)
        {
            throw Fault.Invalid(
                Reasons.FieldInvalid,
                field,
                $"Filters must be nested at most {PointFilter.MaxDepth} levels deep; {field} is at level {level}. Join conditions that must all "
                + "hold in one filter.")
                .With(FaultKeys.Limit, PointFilter.MaxDepth)
                .With(FaultKeys.Actual, level);
        }
        // Before the elements are read, so that the effort is limited.
        Few(filter.Attributes.Count, $"{field}.attributes");
        return new()
        {
            JobId = filter.HasJobId ? Require.Bounded(filter.JobId, $"{field}.job_id", Require.MaxIdBytes) : null,
            MediaStoreId = filter.HasMediaStoreId
                ? Require.Bounded(filter.MediaStoreId, $"{field}.media_store_id", Require.MaxIdBytes)
                : null,
            FaceIndex = filter.HasFaceIndex ? filter.FaceIndex : null,
            Confidence = filter.Confidence is null ? null : ToStored(filter.Confidence, $"{field}.confidence"),
            OnHold = filter.HasOnHold ? filter.OnHold : null,
            PointIds = Texts(filter.PointIds, $"{field}.point_ids", Require.MaxPointIdBytes, mayBeEmpty: false),
            JobIds = Texts(filter.JobIds, $"{field}.job_ids", Require.MaxIdBytes),
            MediaStoreIds = Texts(filter.MediaStoreIds, $"{field}.media_store_ids", Require.MaxIdBytes),
            PointIdPrefix = filter.HasPointIdPrefix
                ? Require.Text(filter.PointIdPrefix, $"{field}.point_id_prefix", Require.MaxPointIdBytes)
                : null,
            JobIdPrefix = filter.HasJobIdPrefix
                ? Require.Text(filter.JobIdPrefix, $"{field}.job_id_prefix", Require.MaxIdBytes)
                : null,
            MediaStoreIdPrefix = filter.HasMediaStoreIdPrefix
                ? Require.Text(filter.MediaStoreIdPrefix, $"{field}.media_store_id_prefix", Require.MaxIdBytes)
                : null,
            StoredAt = filter.StoredAt is null ? null : ToStored(filter.StoredAt, $"{field}.stored_at"),
            ExpiresAt = filter.ExpiresAt is null ? null : ToStored(filter.ExpiresAt, $"{field}.expires_at"),
            Attributes = [.. filter.Attributes.Select((condition, i) => ToStored(condition, $"{field}.attributes[{i}]"))],
            AllOf = Nested(filter.All, $"{field}.all", level),
            AnyOf = Nested(filter.Any, $"{field}.any", level),
            NoneOf = Nested(filter.Not, $"{field}.not", level),
        };
    }

    private static PointFilter[] Nested(RepeatedField<V1.Filter> filters, string field, int level)
    {
        Few(filters.Count, field);
        return [.. filters.Select((filter, i) => ToStored(filter, $"{field}[{i}]", level + 1))];
    }

    private static AttributeCondition ToStored(V1.AttributeCondition condition, string field)
    {
        var path = PathOf(condition, field);
        switch (condition.ConditionCase)
        {
            case V1.AttributeCondition.ConditionOneofCase.Text:
                return new(path, Text: Require.Bounded(condition.Text, $"{field}.text", MaxTextBytes));
            case V1.AttributeCondition.ConditionOneofCase.Number:
                return new(path, Number: Finite(condition.Number, $"{field}.number"));
            case V1.AttributeCondition.ConditionOneofCase.Flag:
                return new(path, Flag: condition.Flag);
            case V1.AttributeCondition.ConditionOneofCase.Range:
                return new(path, Range: ToStored(condition.Range, $"{field}.range"));
            case V1.AttributeCondition.ConditionOneofCase.Exists:
                return new(path, Exists: condition.Exists);
            case V1.AttributeCondition.ConditionOneofCase.TextIn:
                Require.NotEmpty(condition.TextIn.Values.Count, $"{field}.text_in.values", MaxValues);
                return new(path) { TextIn = Texts(condition.TextIn.Values, $"{field}.text_in.values", MaxTextBytes) };
            case V1.AttributeCondition.ConditionOneofCase.NumberIn:
                var numbers = condition.NumberIn.Values;
                Require.NotEmpty(numbers.Count, $"{field}.number_in.values", MaxValues);
                return new(path) { NumberIn = [.. numbers.Select((number, i) => Finite(number, $"{field}.number_in.values[{i}]"))] };
            case V1.AttributeCondition.ConditionOneofCase.Prefix:
                return new(path) { Prefix = Require.Text(condition.Prefix, $"{field}.prefix", MaxPrefixBytes) };
            case V1.AttributeCondition.ConditionOneofCase.Time:
                return new(path) { Time = ToStored(condition.Time, $"{field}.time") };
            default:
                throw Fault.Invalid(
                    Reasons.FieldRequired,
                    field,
                    $"{field} must have text, number, flag, range, exists, text_in, number_in, prefix, or time.");
        }
    }

    private static AttributePath PathOf(V1.AttributeCondition condition, string field)
    {
        if (condition.Path.Count == 0)
        {
            return Require.Text(condition.Key, $"{field}.key", AttributePath.MaxNameBytes);
        }
        return condition.Key.Length == 0
            ? Path(condition.Path, $"{field}.path")
            : throw Fault.Invalid(
                Reasons.FieldInvalid,
                $"{field}.path",
                $"{field} must have either key or path; got both. A path of one name is the same as a key.");
    }

    private static NumericRange ToStored(V1.NumericRange range, string field)
    {
        var result = new NumericRange(
            range.HasGt ? range.Gt : null,
            range.HasGte ? range.Gte : null,
            range.HasLt ? range.Lt : null,
            range.HasLte ? range.Lte : null);
        double?[] bounds = [result.Gt, result.Gte, result.Lt, result.Lte];
        if (bounds.All(bound => bound is null))
        {
            throw Fault.Invalid(Reasons.FieldRequired, field, $"{field} must have gt, gte, lt, or lte.");
        }
        return bounds.Any(bound => bound is { } value && !double.IsFinite(value))
            ? throw Fault.Invalid(Reasons.FieldInvalid, field, $"{field} must have finite bounds; got NaN or infinity.")
            : result;
    }

    private static TimeRange ToStored(V1.TimeRange range, string field)
    {
        var result = new TimeRange(
            Milliseconds(range.After, $"{field}.after"),
            Milliseconds(range.From, $"{field}.from"),
            Milliseconds(range.Before, $"{field}.before"),
            Milliseconds(range.To, $"{field}.to"));
        return result == new TimeRange()
            ? throw Fault.Invalid(Reasons.FieldRequired, field, $"{field} must have after, from, before, or to.")
            : result;
    }

    // Digits after the milliseconds are cut off, as in stored times.
    private static long? Milliseconds(Timestamp? time, string field)
    {
        const int NanosecondsPerMillisecond = 1_000_000;
        if (time is null)
        {
            return null;
        }
        return time is { Seconds: >= MinSeconds and <= MaxSeconds, Nanos: >= 0 and < 1000 * NanosecondsPerMillisecond }
            ? (time.Seconds * 1000) + (time.Nanos / NanosecondsPerMillisecond)
            : throw Fault.Invalid(
                Reasons.FieldInvalid,
                field,
                $"{field} must be between 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999999Z; got {time.Seconds} seconds and "
                + $"{time.Nanos} nanoseconds.");
    }

    private static string[] Texts(RepeatedField<string> texts, string field, int maxBytes, bool mayBeEmpty = true)
    {
        Few(texts.Count, field);
        return
        [
            .. texts.Select((text, i) => mayBeEmpty
                ? Require.Bounded(text, $"{field}[{i}]", maxBytes)
                : Require.Text(text, $"{field}[{i}]", maxBytes)),
        ];
    }

    private static void Few(int count, string field)
    {
        if (count > MaxValues)
        {
            throw Fault.Invalid(Reasons.FieldTooLong, field, $"{field} must contain at most {MaxValues} elements; got {count}.")
                .With(FaultKeys.Limit, MaxValues)
                .With(FaultKeys.Actual, count);
        }
    }

    private static double Finite(double number, string field) => double.IsFinite(number)
        ? number
        : throw Fault.Invalid(Reasons.FieldInvalid, field, $"{field} must be finite; got {number}.");

    // A nested filter without conditions counts as one, so that the size of the tree is limited.
    private static int Count(PointFilter filter)
    {
        object?[] own =
        [
            filter.JobId, filter.MediaStoreId, filter.FaceIndex, filter.Confidence, filter.OnHold, filter.PointIdPrefix,
            filter.JobIdPrefix, filter.MediaStoreIdPrefix, filter.StoredAt, filter.ExpiresAt,
        ];
        IReadOnlyList<string>[] lists = [filter.PointIds, filter.JobIds, filter.MediaStoreIds];
        return own.Count(condition => condition is not null) + lists.Count(list => list.Count > 0) + filter.Attributes.Count
            + filter.AllOf.Concat(filter.AnyOf).Concat(filter.NoneOf).Sum(part => Math.Max(1, Count(part)));
    }
}
