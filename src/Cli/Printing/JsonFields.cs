using System.Text.Json;
using Embeddings.V1;
using Google.Protobuf;

namespace Embeddings.Cli.Printing;

/// <summary>Writes and formats messages of the contract, with the field names of the contract.</summary>
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

    public static void WriteStrings(this Utf8JsonWriter writer, string name, IEnumerable<string> values)
    {
        writer.WriteStartArray(name);
        foreach (var value in values)
        {
            writer.WriteStringValue(value);
        }
        writer.WriteEndArray();
    }

    /// <summary>Writes a point with its payload and, if present, its vector.</summary>
    public static void WritePoint(this Utf8JsonWriter writer, VectorPoint point)
    {
        writer.WriteString("point_id", point.PointId);
        if (point.Payload is { } payload)
        {
            WritePayload(writer, payload);
        }
        if (point.Vector.Count > 0)
        {
            writer.WriteValues("vector", point.Vector);
        }
    }

    private static void WritePayload(Utf8JsonWriter writer, Payload payload)
    {
        writer.WriteString("job_id", payload.JobId);
        writer.WriteString("media_store_id", payload.MediaStoreId);
        if (payload.HasFaceIndex)
        {
            writer.WriteNumber("face_index", payload.FaceIndex);
        }
        if (payload.Bbox is { } bbox)
        {
            writer.WriteStartObject("bbox");
            writer.WriteNumber("x", bbox.X);
            writer.WriteNumber("y", bbox.Y);
            writer.WriteNumber("width", bbox.Width);
            writer.WriteNumber("height", bbox.Height);
            writer.WriteEndObject();
        }
        if (payload.HasConfidence)
        {
            writer.WriteNumber("confidence", payload.Confidence);
        }
        if (payload.Landmarks is { } landmarks)
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
        if (payload.Attributes is { } attributes)
        {
            writer.WritePropertyName("attributes");
            writer.WriteRawValue(JsonFormatter.Default.Format(attributes));
        }
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
    }

    private static string Line(string name, string value) => $"{name,-15} {ErrorLine.OneLine(value)}";
}
