using System.Numerics;
using Embeddings.Core;
using Embeddings.Primitives;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>The contract's pictures to the server's, without copying a pixel. Faults name fields as the contract's Image and FaceCrop have them.</summary>
internal static class PictureMapping
{
    /// <summary>A whole image to embed; its faults name fields from <paramref name="path"/> on.</summary>
    public static EmbedRequest ToRequest(V1.Image? image, string model, bool wait, string path) =>
        new(ModelKind.Image, model, FieldPath.Within(path, () => ToInput(image)), wait, path);

    /// <summary>A face to embed; its faults name fields from <paramref name="path"/> on.</summary>
    public static EmbedRequest ToRequest(V1.FaceCrop? face, string model, bool wait, string path) =>
        face is null
            ? throw Require.Missing(path)
            : new(ModelKind.Face, model, FieldPath.Within(path, () => ToInput(face.Image, ToLandmarks(face.Landmarks))), wait, path);

    private static ImageInput ToInput(V1.Image? image, Landmarks? landmarks = null)
    {
        switch (Require.Present(image, "image").SourceCase)
        {
            case V1.Image.SourceOneofCase.Encoded:
                return new(image!.Encoded.Memory, PixelFormat.Encoded, 0, 0, landmarks);
            case V1.Image.SourceOneofCase.Pixels:
                var pixels = image!.Pixels;
                // Zero is this server's mark for an encoded file, and must not come in by this door.
                return pixels.Format is >= V1.PixelFormat.Rgb8 and <= V1.PixelFormat.BgrF32
                    ? new(pixels.Data.Memory, (PixelFormat)pixels.Format, pixels.Width, pixels.Height, landmarks)
                    : throw Fault.Invalid(Reasons.PixelFormatInvalid, "image.pixels.format", "image.pixels.format must be RGB8, BGR8, GRAY8, RGB_F32 or BGR_F32");
            default:
                throw Fault.Invalid(Reasons.FieldRequired, "image", "image needs encoded or pixels");
        }
    }

    private static Landmarks? ToLandmarks(V1.FaceLandmarks? points) =>
        points is null
            ? null
            : new(
                ToVector(points.LeftEye, "left_eye"),
                ToVector(points.RightEye, "right_eye"),
                ToVector(points.Nose, "nose"),
                ToVector(points.LeftMouthCorner, "left_mouth_corner"),
                ToVector(points.RightMouthCorner, "right_mouth_corner"));

    private static Vector2 ToVector(V1.Point? point, string name) =>
        point is null
            ? throw Fault.Invalid(Reasons.LandmarksInvalid, $"landmarks.{name}", $"landmarks.{name} is required: alignment needs all five points")
            : new(point.X, point.Y);
}
