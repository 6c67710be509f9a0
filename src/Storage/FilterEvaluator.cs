using System.Text.Json;
using System.Text.Json.Nodes;

namespace Embeddings.Storage;

/// <summary>
/// The meaning of filters, in plain C#: every store selects exactly the points for which this returns true. Stores translate filters to
/// queries of their own; tests compare their results with this.
/// </summary>
/// <remarks>
/// A condition on something that a point does not have (face index, confidence, time, attribute) does not hold, so that its negation
/// does. Texts are compared by their code points, without regard to any culture. Confidences are single-precision, and the bounds of their range
/// are rounded to it. Numbers of attributes are compared as doubles.
/// </remarks>
internal static class FilterEvaluator
{
    public static bool Matches(this PointFilter filter, StoredPoint point)
    {
        var payload = point.Payload;
        return (filter.JobId is null || filter.JobId == payload.JobId)
            && (filter.MediaStoreId is null || filter.MediaStoreId == payload.MediaStoreId)
            && (filter.FaceIndex is null || filter.FaceIndex == payload.FaceIndex)
            && (filter.Confidence is null || (payload.Confidence is { } confidence && filter.Confidence.ToSingle().Contains(confidence)))
            && (filter.OnHold is null || filter.OnHold == payload.OnHold)
            && IsOneOf(filter.PointIds, point.Id)
            && IsOneOf(filter.JobIds, payload.JobId)
            && IsOneOf(filter.MediaStoreIds, payload.MediaStoreId)
            && Starts(point.Id, filter.PointIdPrefix)
            && Starts(payload.JobId, filter.JobIdPrefix)
            && Starts(payload.MediaStoreId, filter.MediaStoreIdPrefix)
            && IsIn(filter.StoredAt, payload.StoredAt)
            && IsIn(filter.ExpiresAt, payload.ExpiresAt)
            && filter.Attributes.All(condition => condition.Holds(Find(payload.Attributes, condition.Path)))
            && filter.AllOf.All(part => part.Matches(point))
            && (filter.AnyOf.Count == 0 || filter.AnyOf.Any(part => part.Matches(point)))
            && !filter.NoneOf.Any(part => part.Matches(point));
    }

    /// <summary>Returns true if the condition holds for the value of its field, which is null if the field is absent.</summary>
    public static bool Holds(this AttributeCondition condition, JsonNode? value) => condition switch
    {
        { Exists: { } exists } => exists == value is not null,
        { Text: { } text } => Text(value) == text,
        { TextIn: { } texts } => Text(value) is { } own && texts.Contains(own, StringComparer.Ordinal),
        { Prefix: { } prefix } => Text(value)?.StartsWith(prefix, StringComparison.Ordinal) is true,
        { Time: { } range } => Text(value) is { } own && AttributeTimes.Parse(own) is { } time && range.Contains(time),
        { Flag: { } flag } => value?.GetValueKind() == (flag ? JsonValueKind.True : JsonValueKind.False),
        { Number: { } number } => Number(value) == number,
        { NumberIn: { } numbers } => Number(value) is { } own && numbers.Any(number => number == own),
        { Range: { } range } => Number(value) is { } own && range.Contains(own),
        _ => throw new ArgumentException("The condition must have a value.", nameof(condition)),
    };

    /// <summary>Returns the value of a field; null if it is absent or null.</summary>
    public static JsonNode? Find(JsonObject? attributes, AttributePath path)
    {
        JsonNode? node = attributes;
        foreach (var name in path.Names)
        {
            node = node is JsonObject fields && fields.TryGetPropertyValue(name, out var field) ? field : null;
        }
        return node;
    }

    private static bool IsOneOf(IReadOnlyList<string> texts, string text) =>
        texts.Count == 0 || texts.Contains(text, StringComparer.Ordinal);

    private static bool Starts(string text, string? prefix) => prefix is null || text.StartsWith(prefix, StringComparison.Ordinal);

    private static bool IsIn(TimeRange? range, DateTimeOffset? time) =>
        range is null || (time is { } value && range.Contains(value.ToUnixTimeMilliseconds()));

    private static string? Text(JsonNode? value) => value?.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;

    private static double? Number(JsonNode? value) =>
        value?.GetValueKind() == JsonValueKind.Number ? value.Deserialize<double>() : null;
}
