namespace Embeddings.Core.Faces;

/// <summary>Which faces of a photo to find.</summary>
public sealed record FaceSearch
{
    /// <summary>Maximum number of faces; the largest are kept.</summary>
    /// <value>Default: 100. From 1 to 1,000.</value>
    public int MaxFaces { get; init; } = 100;

    /// <summary>
    /// Minimum length of the shorter side of a face's box, pixels of the upright photo. Smaller faces take longer to find.
    /// </summary>
    /// <value>Default: 40. From 10 to 4,096.</value>
    public int MinFaceSize { get; init; } = 40;

    /// <summary>Minimum confidence of the detector; null for the detector's own default.</summary>
    /// <value>Default: null. From 0 to 1.</value>
    public float? MinConfidence { get; init; }

    /// <summary>Minimum overall quality; null for any.</summary>
    /// <value>Default: null. From 0 to 1.</value>
    public float? MinQuality { get; init; }

    /// <summary>
    /// True to search the photo also rotated by 90, 180, and 270 degrees, for photos that were turned without an EXIF tag. The
    /// rotation with the most certain faces is used. Takes four times as long.
    /// </summary>
    /// <value>Default: false.</value>
    public bool TryRotations { get; init; }

    /// <summary>Name of the detector; empty for the default one.</summary>
    /// <value>Default: empty.</value>
    public string Detector { get; init; } = "";

    /// <summary>
    /// Name of the landmark model; empty for the detector's own landmarks, or the default landmark model if it finds none.
    /// </summary>
    /// <value>Default: empty.</value>
    public string LandmarkModel { get; init; } = "";

    /// <summary>True to estimate each face's liveness.</summary>
    /// <value>Default: false.</value>
    public bool WithLiveness { get; init; }
}

/// <summary>The faces of a photo. Coordinates are in pixels of the upright photo.</summary>
/// <param name="Width">Width of the upright photo, pixels.</param>
/// <param name="Height">Height of the upright photo, pixels.</param>
/// <param name="ExifOrientation">EXIF orientation that was applied, 1 to 8; 1 if there is none.</param>
/// <param name="Rotation">
/// Clockwise rotation in degrees that <see cref="FaceSearch.TryRotations"/> applied after that: 0, 90, 180, or 270.
/// </param>
/// <param name="Faces">Faces, largest first.</param>
/// <param name="LeftOut">Faces that were found and left out, largest first; at most 1,000.</param>
/// <param name="Queued">Time spent waiting for memory and for a decoder.</param>
/// <param name="Preprocessed">Time spent on decoding the photo, and on cutting it for the models.</param>
/// <param name="Ran">Time until the models had run on what was cut, waits for their queues included.</param>
public sealed record PhotoFaces(
    int Width,
    int Height,
    int ExifOrientation,
    int Rotation,
    IReadOnlyList<FoundFace> Faces,
    IReadOnlyList<LeftOutFace> LeftOut,
    TimeSpan Queued,
    TimeSpan Preprocessed,
    TimeSpan Ran);

/// <summary>A face in a photo. Coordinates are in pixels of the upright photo.</summary>
/// <param name="Box">Box of the face; it may extend beyond the photo.</param>
/// <param name="Confidence">Confidence of the detector, 0 to 1.</param>
/// <param name="Landmarks">Landmarks of the face.</param>
/// <param name="Quality">Quality of the face.</param>
/// <param name="Pose">Rotation of the head.</param>
/// <param name="Liveness">Probability that the face was taken from life, 0 to 1; null unless requested.</param>
/// <param name="Crop">The face aligned by its landmarks: RGB pixels of the requested size, three bytes each.</param>
public sealed record FoundFace(
    FaceBox Box,
    float Confidence,
    Landmarks Landmarks,
    FaceQuality Quality,
    HeadPose Pose,
    float? Liveness,
    ReadOnlyMemory<byte> Crop);

/// <summary>A face that was found and left out.</summary>
/// <param name="Box">Box of the face, pixels of the upright photo.</param>
/// <param name="Confidence">Confidence of the detector, 0 to 1.</param>
/// <param name="Reason">Reason why it was left out.</param>
/// <param name="Message">The reason with the value and the limit, for people.</param>
public sealed record LeftOutFace(FaceBox Box, float Confidence, LeftOutReason Reason, string Message);

/// <summary>Reason why a face was left out; the values are those of the contract.</summary>
public enum LeftOutReason
{
    /// <summary>The box is smaller than <see cref="FaceSearch.MinFaceSize"/>.</summary>
    TooSmall = 1,

    /// <summary>The confidence is below <see cref="FaceSearch.MinConfidence"/>.</summary>
    LowConfidence = 2,

    /// <summary>The overall quality is below <see cref="FaceSearch.MinQuality"/>.</summary>
    LowQuality = 3,

    /// <summary>There are <see cref="FaceSearch.MaxFaces"/> larger faces.</summary>
    OverMaxFaces = 4,

    /// <summary>The landmarks are not those of a face, so that it cannot be aligned.</summary>
    LandmarksInvalid = 5,

    /// <summary>The face model produces no usable vector for the face.</summary>
    NoVector = 6,
}

/// <summary>A box, pixels; (0, 0) is the top left corner of the photo.</summary>
/// <param name="X">Left edge; may be negative.</param>
/// <param name="Y">Top edge; may be negative.</param>
/// <param name="Width">Width, 0 or more.</param>
/// <param name="Height">Height, 0 or more.</param>
public readonly record struct FaceBox(float X, float Y, float Width, float Height)
{
    internal float Right => X + Width;

    internal float Bottom => Y + Height;

    internal float Area => Width * Height;

    internal float ShorterSide => Math.Min(Width, Height);

    internal float LongerSide => Math.Max(Width, Height);

    /// <summary>Area of the intersection.</summary>
    internal float Common(in FaceBox other)
    {
        var width = Math.Min(Right, other.Right) - Math.Max(X, other.X);
        var height = Math.Min(Bottom, other.Bottom) - Math.Max(Y, other.Y);
        return width > 0 && height > 0 ? width * height : 0;
    }

    /// <summary>Intersection over union, 0 to 1.</summary>
    internal float Overlap(in FaceBox other)
    {
        var common = Common(other);
        return common > 0 ? common / (Area + other.Area - common) : 0;
    }
}

/// <summary>
/// Quality of a face, each value from 0 (unusable) to 1 (as good as needed). The aligned crop is that of 112 x 112 pixels, its
/// luminance 0.299 R + 0.587 G + 0.114 B from 0 to 255.
/// </summary>
/// <param name="Overall">Geometric mean of the other values: their product to the power of 1/6.</param>
/// <param name="Size">Distance between the eyes in pixels of the photo over 60, at most 1.</param>
/// <param name="Sharpness">
/// v / (v + 100), where v is the variance of the Laplacian of the aligned crop's luminance: right + left + lower + upper
/// neighbour - 4 x pixel, over all pixels that have four neighbours.
/// </param>
/// <param name="Brightness">
/// 1 if the mean luminance m of the aligned crop is from 50 to 205; m / 50 below, (255 - m) / 50 above.
/// </param>
/// <param name="Contrast">Standard deviation of the aligned crop's luminance over 32, at most 1.</param>
/// <param name="Pose">
/// cos(yaw) cos(pitch) cos(roll / 2), with 0 for negative cosines. Alignment undoes roll, so that it counts half.
/// </param>
/// <param name="Confidence">Confidence of the detector.</param>
public readonly record struct FaceQuality(
    float Overall, float Size, float Sharpness, float Brightness, float Contrast, float Pose, float Confidence);

/// <summary>Rotation of a head, degrees.</summary>
/// <param name="Yaw">Rotation about the vertical axis; positive if the face looks to the right side of the image.</param>
/// <param name="Pitch">Rotation about the horizontal axis; positive if the face looks up.</param>
/// <param name="Roll">Rotation in the plane of the image; positive if the head is tilted clockwise.</param>
public readonly record struct HeadPose(float Yaw, float Pitch, float Roll);
