using System.Numerics;

namespace Embeddings.Core.Imaging;

/// <summary>Which five points can be a face. What these let through has a transform of a usable scale.</summary>
internal static class LandmarkRules
{
    // Pixels, root mean square about the middle: less is a point, not a face.
    private const double LeastSpread = 0.5;

    // Across over along; a face seen from the side has 0.1 or more, points on a line have rounding errors.
    private const double LeastFlatness = 0.01;

    // A crop of a million source pixels across is no face, and neither is one of a thousandth.
    private const double LeastScale = 1e-3;

    /// <summary>What can be told from the points alone. Throws a fault.</summary>
    public static void Check(Landmarks landmarks)
    {
        double x = 0, y = 0;
        Span<Vector2> points = stackalloc Vector2[5];
        FaceTemplate.Points(landmarks, points);
        foreach (var point in points)
        {
            if (!float.IsFinite(point.X) || !float.IsFinite(point.Y))
            {
                throw ImageFaults.BadLandmarks("A landmark is not a finite number.");
            }
            (x, y) = (x + point.X / 5.0, y + point.Y / 5.0);
        }
        double xx = 0, yy = 0, xy = 0;
        foreach (var point in points)
        {
            var (dx, dy) = (point.X - x, point.Y - y);
            (xx, yy, xy) = (xx + dx * dx, yy + dy * dy, xy + dx * dy);
        }

        // The eigenvalues of the scatter matrix: the squared spread along and across.
        var middle = (xx + yy) / 2;
        var radius = Math.Sqrt((xx - yy) * (xx - yy) / 4 + xy * xy);
        if (middle * 2 / 5 < LeastSpread * LeastSpread)
        {
            throw ImageFaults.BadLandmarks("The landmarks coincide.");
        }
        if (middle - radius < (middle + radius) * LeastFlatness * LeastFlatness)
        {
            throw ImageFaults.BadLandmarks("The landmarks lie on one line.");
        }
        if (!(FaceTemplate.Transform(landmarks, FaceTemplate.Side, FaceTemplate.Side).Scale >= LeastScale))
        {
            throw ImageFaults.BadLandmarks("The landmarks do not lie as those of a face do.");
        }
    }

    /// <summary>The points against the picture, upright, they are of: a cut face may have some outside, but not far, and not its middle.</summary>
    public static void CheckWithin(Landmarks landmarks, int width, int height)
    {
        var middle = Vector2.Zero;
        Span<Vector2> points = stackalloc Vector2[5];
        FaceTemplate.Points(landmarks, points);
        foreach (var point in points)
        {
            if (!IsWithin(point, width, height, 0.5f))
            {
                throw ImageFaults.BadLandmarks($"A landmark lies far outside the picture of {width} x {height} pixels.");
            }
            middle += point / 5;
        }
        if (!IsWithin(middle, width, height, 0))
        {
            throw ImageFaults.BadLandmarks($"The landmarks lie outside the picture of {width} x {height} pixels.");
        }
    }

    private static bool IsWithin(Vector2 point, int width, int height, float margin) =>
        point.X >= -0.5f - margin * width && point.X <= (1 + margin) * width - 0.5f
        && point.Y >= -0.5f - margin * height && point.Y <= (1 + margin) * height - 0.5f;
}
