using Embeddings.Primitives;
using Embeddings.Storage;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>Converts filters of the contract to filters of the store.</summary>
internal static class FilterMapping
{
    private const int MaxConditions = 16;
    private const int MaxKeyBytes = 128;
    private const int MaxTextBytes = 64 * 1024;

    public static PointFilter ToStored(V1.Filter? filter)
    {
        if (filter is null)
        {
            return PointFilter.All;
        }
        if (filter.Attributes.Count > MaxConditions)
        {
            throw Fault.Invalid(
                Reasons.FieldTooLong,
                "filter.attributes",
                $"filter.attributes must contain at most {MaxConditions} conditions; got {filter.Attributes.Count}.")
                .With(FaultKeys.Limit, MaxConditions)
                .With(FaultKeys.Actual, filter.Attributes.Count);
        }
        return new()
        {
            JobId = filter.HasJobId ? Require.Bounded(filter.JobId, "filter.job_id", Require.MaxIdBytes) : null,
            MediaStoreId = filter.HasMediaStoreId
                ? Require.Bounded(filter.MediaStoreId, "filter.media_store_id", Require.MaxIdBytes)
                : null,
            FaceIndex = filter.HasFaceIndex ? filter.FaceIndex : null,
            Confidence = filter.Confidence is null ? null : ToStored(filter.Confidence, "filter.confidence"),
            OnHold = filter.HasOnHold ? filter.OnHold : null,
            Attributes = [.. filter.Attributes.Select((condition, i) => ToStored(condition, $"filter.attributes[{i}]"))],
        };
    }

    private static AttributeCondition ToStored(V1.AttributeCondition condition, string field)
    {
        var key = Require.Text(condition.Key, $"{field}.key", MaxKeyBytes);
        return condition.ConditionCase switch
        {
            V1.AttributeCondition.ConditionOneofCase.Text =>
                new(key, Text: Require.Bounded(condition.Text, $"{field}.text", MaxTextBytes)),
            V1.AttributeCondition.ConditionOneofCase.Number when double.IsFinite(condition.Number) =>
                new(key, Number: condition.Number),
            V1.AttributeCondition.ConditionOneofCase.Number => throw Fault.Invalid(
                Reasons.FieldInvalid, $"{field}.number", $"{field}.number must be finite; got {condition.Number}."),
            V1.AttributeCondition.ConditionOneofCase.Flag => new(key, Flag: condition.Flag),
            V1.AttributeCondition.ConditionOneofCase.Range => new(key, Range: ToStored(condition.Range, $"{field}.range")),
            V1.AttributeCondition.ConditionOneofCase.Exists => new(key, Exists: condition.Exists),
            _ => throw Fault.Invalid(Reasons.FieldRequired, field, $"{field} must have text, number, flag, range, or exists."),
        };
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
}
