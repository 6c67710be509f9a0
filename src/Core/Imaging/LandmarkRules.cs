using System.Globalization;
using System.Numerics;

namespace Embeddings.Core.Imaging;

/// <summary>Checks whether five points can be a face. Points that pass have a transform of a usable scale.</summary>
internal static class LandmarkRules
{
    // Pixels, root mean square about the center: less is a point, not a face.
    private const double MinSpread = 0.5;

    // Spread across over spread along; a face in profile has 0.1 or more, points on a line have rounding errors.
    private const double MinFlatness = 0.01;

    // A crop a million source pixels wide is not a face, and neither is one of a thousandth.
    private const double MinScale = 1e-3;

    // Root mean square distance from the template's points after the best fit, in pixels of the template of 112. Detected
    // frontal faces have 1 to 6, a head turned by 90 degrees 15 (a face model projected at that angle). Only the eyes swapped
    // give 19 or more, only the corners of the mouth 16.6, a mirror image (x and y swapped, or left and right) 22.
    private const double MaxResidual = 16;

    /// <summary>
    /// True if the points can be a face in an image of this size, so that <see cref="Check"/> and <see cref="CheckWithin"/>
    /// throw nothing.
    /// </summary>
    public static bool IsFace(Landmarks? landmarks, int width, int height) =>
        landmarks is not null && Problem(landmarks) is null && ProblemWithin(landmarks, width, height) is null;

    /// <summary>Checks the points without the image. Throws a fault.</summary>
    public static void Check(Landmarks landmarks)
    {
        if (Problem(landmarks) is { } problem)
        {
            throw ImageRules.BadLandmarks(problem);
        }
    }

    /// <summary>
    /// Checks the points against the upright image: a face at the edge may have some outside, but not far, and not its center.
    /// Throws a fault.
    /// </summary>
    public static void CheckWithin(Landmarks landmarks, int width, int height)
    {
        if (ProblemWithin(landmarks, width, height) is { } problem)
        {
            throw ImageRules.BadLandmarks(problem);
        }
    }

    private static string? Problem(Landmarks landmarks)
    {
        double x = 0, y = 0;
        Span<Vector2> points = stackalloc Vector2[5];
        landmarks.CopyTo(points);
        foreach (var point in points)
        {
            if (!float.IsFinite(point.X) || !float.IsFinite(point.Y))
            {
                return "Landmarks must be finite; got NaN or infinity.";
            }
            x += point.X / 5.0;
            y += point.Y / 5.0;
        }
        double xx = 0, yy = 0, xy = 0;
        foreach (var point in points)
        {
            var dx = point.X - x;
            var dy = point.Y - y;
            xx += dx * dx;
            yy += dy * dy;
            xy += dx * dy;
        }

        // The eigenvalues of the scatter matrix are the squared spread along and across.
        var middle = (xx + yy) / 2;
        var radius = Math.Sqrt((xx - yy) * (xx - yy) / 4 + xy * xy);
        if (middle * 2 / 5 < MinSpread * MinSpread)
        {
            return "Landmarks must not coincide.";
        }
        if (middle - radius < (middle + radius) * MinFlatness * MinFlatness)
        {
            return "Landmarks must not be on one line.";
        }
        var transform = FaceAligner.TransformTo(FaceAligner.TemplateSide, FaceAligner.TemplateSide, landmarks);
        var residual = FaceAligner.Residual(landmarks, transform);
        if (!(residual <= MaxResidual))
        {
            return $"Landmarks must be arranged as those of a face, with an error of at most {MaxResidual} pixels on the template of 112; "
                + $"got {residual.ToString("0.0", CultureInfo.InvariantCulture)}. Send x before y, in pixels of the upright "
                + "image, and the points on the left side of the image as left.";
        }
        return transform.Scale >= MinScale ? null : "Landmarks must span at most 100,000 pixels.";
    }

    private static string? ProblemWithin(Landmarks landmarks, int width, int height)
    {
        var center = Vector2.Zero;
        Span<Vector2> points = stackalloc Vector2[5];
        landmarks.CopyTo(points);
        foreach (var point in points)
        {
            if (!IsWithin(point, width, height, 0.5f))
            {
                return $"Landmarks must be at most half the image's size outside the image of {width} x {height} pixels.";
            }
            center += point / 5;
        }
        return IsWithin(center, width, height, 0)
            ? null
            : $"The center of the landmarks must be inside the image of {width} x {height} pixels.";
    }

    private static bool IsWithin(Vector2 point, int width, int height, float margin) =>
        point.X >= -0.5f - margin * width && point.X <= (1 + margin) * width - 0.5f
        && point.Y >= -0.5f - margin * height && point.Y <= (1 + margin) * height - 0.5f;
}
