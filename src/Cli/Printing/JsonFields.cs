using System.Text.Json;
using Embeddings.V1;
using Google.Protobuf;

namespace Embeddings.Cli.Printing;

/// <summary>The contract's messages as JSON fields, under the contract's own names and with numbers as numbers.</summary>
internal static class JsonFields
{
    public static void WriteError(this Utf8JsonWriter writer, ItemError error)
    {
        writer.WriteStartObject("error");
        writer.WriteNumber("code", error.Code);
        writer.WriteString("status", StatusName.Of(error.Code));
        writer.WriteString("reason", error.Reason);
        writer.WriteString("message", error.Message);
        if (error.Field.Length > 0)
        {
            writer.WriteString("field", error.Field);
        }
        writer.WriteEndObject();
    }

    public static void WriteTimings(this Utf8JsonWriter writer, Timings? timings)
    {
        writer.WriteStartObject("timings");
        writer.WriteNumber("queue_us", timings?.QueueUs ?? 0);
        writer.WriteNumber("preprocess_us", timings?.PreprocessUs ?? 0);
        writer.WriteNumber("inference_us", timings?.InferenceUs ?? 0);
        writer.WriteNumber("store_us", timings?.StoreUs ?? 0);
        writer.WriteNumber("batch_size", timings?.BatchSize ?? 0);
        writer.WriteEndObject();
    }

    public static void WriteValues(this Utf8JsonWriter writer, string name, IEnumerable<float> values)
    {
        writer.WriteStartArray(name);
        foreach (var value in values)
        {
            writer.WriteNumberValue(value);
        }
        writer.WriteEndArray();
    }

    /// <summary>The point with its payload; its vector only where it has one.</summary>
    public static void WritePoint(this Utf8JsonWriter writer, VectorPoint point)
    {
        writer.WriteString("point_id", point.PointId);
        if (point.Payload is { } payload)
        {
            writer.WriteItem(payload.JobId, payload.MediaStoreId, payload.HasFaceIndex ? payload.FaceIndex : null, payload.Bbox,
                payload.HasConfidence ? payload.Confidence : null, payload.Landmarks, payload.Attributes);
        }
        if (point.Vector.Count > 0)
        {
            writer.WriteValues("vector", point.Vector);
        }
    }

    /// <summary>What is known of an item, as manifest lines have it.</summary>
    public static void WriteItem(
        this Utf8JsonWriter writer, string jobId, string mediaStoreId, int? faceIndex, BoundingBox? bbox, float? confidence, FaceLandmarks? landmarks,
        Google.Protobuf.WellKnownTypes.Struct? attributes)
    {
        writer.WriteString("job_id", jobId);
        writer.WriteString("media_store_id", mediaStoreId);
        if (faceIndex is { } index)
        {
            writer.WriteNumber("face_index", index);
        }
        if (bbox is not null)
        {
            writer.WriteStartObject("bbox");
            writer.WriteNumber("x", bbox.X);
            writer.WriteNumber("y", bbox.Y);
            writer.WriteNumber("width", bbox.Width);
            writer.WriteNumber("height", bbox.Height);
            writer.WriteEndObject();
        }
        if (confidence is { } sure)
        {
            writer.WriteNumber("confidence", sure);
        }
        if (landmarks is not null)
        {
            writer.WriteStartArray("landmarks");
            foreach (var point in landmarks.Points())
            {
                writer.WriteStartArray();
                writer.WriteNumberValue(point.X);
                writer.WriteNumberValue(point.Y);
                writer.WriteEndArray();
            }
            writer.WriteEndArray();
        }
        if (attributes is not null)
        {
            writer.WritePropertyName("attributes");
            writer.WriteRawValue(JsonFormatter.Default.Format(attributes));
        }
    }
}
