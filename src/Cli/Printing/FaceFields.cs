using Embeddings.V1;
using Google.Protobuf.Reflection;

namespace Embeddings.Cli.Printing;

/// <summary>Faces of photos as JSON and as text, with the names of the contract.</summary>
internal static class FaceFields
{
    private const string ReasonPrefix = "LEFT_OUT_REASON_";

    private static readonly EnumDescriptor Reasons =
        FaceReflection.Descriptor.EnumTypes.Single(type => type.Name == nameof(LeftOutReason));

    /// <summary>Name of a reason in the contract, without the prefix: <c>TOO_SMALL</c>.</summary>
    public static string Word(LeftOutReason reason) =>
        Reasons.FindValueByNumber((int)reason) is { } known ? known.Name[ReasonPrefix.Length..] : $"{(int)reason}";

    /// <summary>A face; a field that is null is to be omitted.</summary>
    public static object Of(Face face) => new
    {
        face.FaceIndex,
        Bbox = Of(face.Bbox),
        face.Confidence,
        Landmarks = face.Landmarks?.Points().Select(at => new[] { at.X, at.Y }),
        Quality = face.Quality is { } quality
            ? new
            {
                quality.Overall,
                quality.Size,
                quality.Sharpness,
                quality.Brightness,
                quality.Contrast,
                quality.Pose,
                quality.Confidence,
            }
            : null,
        Pose = face.Pose is { } pose ? new { pose.Yaw, pose.Pitch, pose.Roll } : null,
        Liveness = face.HasLiveness ? face.Liveness : (float?)null,
    };

    /// <summary>A face that was left out.</summary>
    public static object Of(LeftOutFace face) => new
    {
        Bbox = Of(face.Bbox),
        face.Confidence,
        Reason = Word(face.Reason),
        face.Message,
    };

    /// <summary>Size and orientation of a photo.</summary>
    public static object? Of(PhotoInfo? photo) => photo is null ? null : new
    {
        photo.Width,
        photo.Height,
        photo.ExifOrientation,
        photo.Rotation,
    };

    /// <summary>Box as text: <c>80x90 at 100,150</c>.</summary>
    public static string Text(BoundingBox? box) =>
        box is null ? "" : FormattableString.Invariant($"{box.Width:0}x{box.Height:0} at {box.X:0},{box.Y:0}");

    /// <summary>Rotation of a head as text, in degrees: <c>yaw 5, pitch -3, roll 0</c>.</summary>
    public static string Text(HeadPose? pose) => pose is null
        ? ""
        : FormattableString.Invariant($"yaw {Rounded(pose.Yaw)}, pitch {Rounded(pose.Pitch)}, roll {Rounded(pose.Roll)}");

    /// <summary>One line about a photo: <c>a.jpg: 640x480, 2 faces, 1 left out</c>.</summary>
    public static string Summary(string path, PhotoInfo? photo, int faces, int leftOut)
    {
        var size = photo is null ? "" : $" {photo.Width}x{photo.Height},";
        var turned = photo is { Rotation: not 0 } ? $" rotated by {photo.Rotation} degrees," : "";
        var others = leftOut > 0 ? $", {leftOut} left out" : "";
        return $"{ErrorLine.OneLine(path)}:{size}{turned} {Count(faces, "face", "faces")}{others}";
    }

    /// <summary>Number with its noun: <c>no face</c>, <c>1 face</c>, <c>2 faces</c>.</summary>
    public static string Count(long count, string one, string several) => count switch
    {
        0 => $"no {one}",
        1 => $"1 {one}",
        _ => $"{count:N0} {several}",
    };

    private static object? Of(BoundingBox? box) => box is null ? null : new { box.X, box.Y, box.Width, box.Height };

    // Not -0.
    private static int Rounded(float degrees) => float.IsFinite(degrees) ? (int)MathF.Round(degrees) : 0;
}
