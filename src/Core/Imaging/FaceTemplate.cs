using System.Numerics;

namespace Embeddings.Core.Imaging;

/// <summary>Where the five points of a face come to lie in the crop: the ArcFace template (insightface, <c>face_align.py</c>) for 112 x 112.</summary>
internal static class FaceTemplate
{
    /// <summary>The template's width and height, pixels.</summary>
    public const int Side = 112;

    private static readonly Vector2[] Template =
    [
        new(38.2946f, 51.6963f),
        new(73.5318f, 51.5014f),
        new(56.0252f, 71.7366f),
        new(41.5493f, 92.3655f),
        new(70.7299f, 92.2041f),
    ];

    /// <summary>From the picture's pixels to those of a crop of this size: the template scaled to the shorter side and centred along the longer.</summary>
    public static SimilarityTransform Transform(Landmarks landmarks, int width, int height)
    {
        Span<Vector2> from = stackalloc Vector2[5];
        Span<Vector2> to = stackalloc Vector2[5];
        Points(landmarks, from);
        var shorter = Math.Min(width, height);
        var shift = new Vector2(width - shorter, height - shorter) / 2;
        for (var i = 0; i < to.Length; i++)
        {
            to[i] = Template[i] * shorter / Side + shift;
        }
        return SimilarityTransform.Estimate(from, to);
    }

    public static void Points(Landmarks landmarks, Span<Vector2> points) =>
        (points[0], points[1], points[2], points[3], points[4]) =
        (landmarks.LeftEye, landmarks.RightEye, landmarks.Nose, landmarks.LeftMouthCorner, landmarks.RightMouthCorner);
}
