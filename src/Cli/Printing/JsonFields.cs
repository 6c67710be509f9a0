using System.Globalization;
using System.Text.Json.Nodes;
using Embeddings.Client;
using Embeddings.Core;
using Embeddings.Primitives;
using Embeddings.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Options;

namespace Embeddings.Cli.Printing;

/// <summary>Messages of the contract as JSON and as text, with the field names of the contract.</summary>
internal static class JsonFields
{
    /// <summary>An error; a field that is null is to be omitted.</summary>
    public static object Of(ItemError error) => new
    {
        error.Code,
        Status = StatusName.Of(error.Code),
        error.Reason,
        error.Message,
        Field = error.Field.Length > 0 ? error.Field : null,
    };

    /// <summary>
    /// The error of a command: reason, message, and details; fields that are null are to be omitted. docs/errors.md
    /// describes it.
    /// </summary>
    /// <param name="error">The error.</param>
    /// <param name="address">Address of the server, or null.</param>
    public static object Of(Exception error, string? address) => error switch
    {
        EmbeddingsException e => new
        {
            Code = (int)e.Status,
            Status = StatusName.Of((int)e.Status),
            e.Reason,
            Message = ErrorLine.Message(e, address),
            Details = new
            {
                Address = address,
                Field = e.Field.Length > 0 ? e.Field : null,
                RetryAfterSeconds = e.RetryAfter?.TotalSeconds,
            },
        },
        AggregateException several when several.Flatten().InnerExceptions is [var first, ..] => Of(first, address),
        _ => new { Reason = Reason(error), Message = ErrorLine.Of(error, address), Details = new { } },
    };

    private static string Reason(Exception error) => error switch
    {
        ToolException e => e.Reason,
        ItemFault e => e.Error.Reason,
        Fault e => e.Reason,
        ModelException => "MODEL_INVALID",
        OptionsValidationException => "SETTING_INVALID",
        IOException or UnauthorizedAccessException => ItemFault.FileUnreadable,
        OperationCanceledException => "INTERRUPTED",
        _ => "INTERNAL",
    };

    public static object Of(Timings? timings) => new
    {
        QueueUs = timings?.QueueUs ?? 0,
        PreprocessUs = timings?.PreprocessUs ?? 0,
        InferenceUs = timings?.InferenceUs ?? 0,
        StoreUs = timings?.StoreUs ?? 0,
        BatchSize = timings?.BatchSize ?? 0,
    };

    /// <summary>A point with its payload and, if present, its vector; a field that is null is to be omitted.</summary>
    public static object Of(VectorPoint point, int? rank = null, float? score = null)
    {
        var payload = point.Payload;
        return new
        {
            Rank = rank,
            Score = score,
            point.PointId,
            payload?.JobId,
            payload?.MediaStoreId,
            FaceIndex = payload is { HasFaceIndex: true } ? payload.FaceIndex : (int?)null,
            Bbox = payload?.Bbox is { } box ? new { box.X, box.Y, box.Width, box.Height } : null,
            Confidence = payload is { HasConfidence: true } ? payload.Confidence : (float?)null,
            Landmarks = payload?.Landmarks?.Points().Select(at => new[] { at.X, at.Y }),
            Attributes = payload?.Attributes is { } own ? JsonNode.Parse(JsonFormatter.Default.Format(own)) : null,
            StoredAt = point.StoredAt?.ToDateTimeOffset(),
            ExpiresAt = payload?.ExpiresAt?.ToDateTimeOffset(),
            OnHold = point.OnHold ? true : (bool?)null,
            Vector = point.GetVector() is { IsEmpty: false } vector ? vector.ToArray() : null,
        };
    }

    /// <summary>Returns the id and payload of a point as text, one field per line.</summary>
    public static IEnumerable<string> Lines(VectorPoint point)
    {
        yield return Line("point_id", point.PointId);
        if (point.Payload is not { } payload)
        {
            yield break;
        }
        yield return Line("job_id", payload.JobId);
        yield return Line("media_store_id", payload.MediaStoreId);
        if (payload.HasFaceIndex)
        {
            yield return Line("face_index", $"{payload.FaceIndex}");
        }
        if (payload.Bbox is { } box)
        {
            yield return Line("bbox", $"x {box.X}, y {box.Y}, width {box.Width}, height {box.Height}");
        }
        if (payload.HasConfidence)
        {
            yield return Line("confidence", $"{payload.Confidence}");
        }
        if (payload.Landmarks is { } face)
        {
            yield return Line("landmarks", string.Join(' ', face.Points().Select(at => $"({at.X}, {at.Y})")));
        }
        if (payload.Attributes is { } attributes)
        {
            yield return Line("attributes", attributes.ToString());
        }
        if (point.StoredAt is { } storedAt)
        {
            yield return Line("stored_at", $"{storedAt.ToDateTimeOffset():O}");
        }
        if (payload.ExpiresAt is { } expiresAt)
        {
            yield return Line("expires_at", $"{expiresAt.ToDateTimeOffset():O}");
        }
        if (point.OnHold)
        {
            yield return Line("on_hold", "true");
        }
    }

    /// <summary>Returns attributes as conditions of <c>--attribute</c>: <c>good=true year=2024</c>.</summary>
    public static string Text(Struct? attributes) => string.Join(' ', (attributes?.Fields ?? [])
        .OrderBy(field => field.Key, StringComparer.Ordinal)
        .Select(field => $"{field.Key}={Text(field.Value)}"));

    private static string Text(Value value) => value.KindCase switch
    {
        Value.KindOneofCase.StringValue => value.StringValue,
        Value.KindOneofCase.NumberValue => value.NumberValue.ToString(CultureInfo.InvariantCulture),
        Value.KindOneofCase.BoolValue => value.BoolValue ? "true" : "false",
        _ => JsonFormatter.Default.Format(value),
    };

    private static string Line(string name, string value) => $"{name,-15} {ErrorLine.OneLine(value)}";
}
