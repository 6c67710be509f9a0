using System.Text.Json.Nodes;
using Embeddings.V1;
using Google.Protobuf;

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
            Vector = point.Vector.Count > 0 ? point.Vector : null,
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
    }

    private static string Line(string name, string value) => $"{name,-15} {ErrorLine.OneLine(value)}";
}
