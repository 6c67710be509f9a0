using Embeddings.V1;

namespace Embeddings.Cli.Printing;

/// <summary>A stored point for a person.</summary>
internal static class PointText
{
    /// <summary>Id and payload, a field a line; fields that are not there are left out.</summary>
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
