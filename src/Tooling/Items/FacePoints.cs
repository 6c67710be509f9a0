using Embeddings.V1;

namespace Embeddings.Tooling.Items;

/// <summary>Converts landmarks to a list of five points: left eye, right eye, nose, left and right mouth corner.</summary>
internal static class FacePoints
{
    public const int Count = 5;

    public static FaceLandmarks From(IReadOnlyList<Point> points) => new()
    {
        LeftEye = points[0],
        RightEye = points[1],
        Nose = points[2],
        LeftMouthCorner = points[3],
        RightMouthCorner = points[4],
    };

    public static FaceLandmarks From(IEnumerable<(float X, float Y)> points) =>
        From([.. points.Select(point => new Point { X = point.X, Y = point.Y })]);

    public static IEnumerable<Point> Points(this FaceLandmarks face) =>
        new[] { face.LeftEye, face.RightEye, face.Nose, face.LeftMouthCorner, face.RightMouthCorner }
            .Select(point => point ?? new());
}
