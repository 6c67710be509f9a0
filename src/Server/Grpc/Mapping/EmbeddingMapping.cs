using System.Numerics;
using Embeddings.Core;
using Embeddings.Primitives;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>
/// Converts images and faces to requests of the pipeline, without copying pixels, and results to embeddings and
/// timings.
/// </summary>
internal static class EmbeddingMapping
{
    /// <summary>Request to embed an image; fields in its faults begin with <paramref name="path"/>.</summary>
    public static EmbedRequest ToRequest(V1.Image? image, string model, bool wait, string path) =>
        new(ModelKind.Image, model, Require.Within(path, () => ToInput(image)), wait, path);

    /// <summary>Request to embed a face; fields in its faults begin with <paramref name="path"/>.</summary>
    public static EmbedRequest ToRequest(V1.FaceCrop? face, string model, bool wait, string path) =>
        face is null
            ? throw Require.Missing(path)
            : new(
                ModelKind.Face,
                model,
                Require.Within(path, () => ToInput(face.Image, ToLandmarks(face.Landmarks), face.Aligned)),
                wait,
                path);

    /// <summary>
    /// A photo, whose landmarks are found by the server. Faults name <paramref name="path"/>, the path of its field.
    /// </summary>
    public static ImageInput ToImage(V1.Image image, string path)
    {
        try
        {
            return ToInput(image);
        }
        catch (Fault fault) when (fault.Field.StartsWith("image", StringComparison.Ordinal))
        {
            throw fault.At(path + fault.Field["image".Length..]);
        }
    }

    /// <param name="result">The result.</param>
    /// <param name="asBytes">True to return the values as bytes.</param>
    public static V1.Embedding ToEmbedding(EmbedResult result, bool asBytes = false)
    {
        var embedding = new V1.Embedding { Model = result.Model.Manifest.Name, UnitLength = result.Model.Manifest.UnitLength };
        if (asBytes)
        {
            embedding.ValuesF32 = PointMapping.ToBytes(result.Vector);
        }
        else
        {
            embedding.Values.AddRange(result.Vector);
        }
        return embedding;
    }

    public static V1.Timings ToTimings(EmbedResult result, TimeSpan stored = default) => new()
    {
        QueueUs = Microseconds(result.Queued),
        PreprocessUs = Microseconds(result.Preprocessed),
        InferenceUs = Microseconds(result.Ran),
        StoreUs = Microseconds(stored),
        BatchSize = result.BatchSize,
    };

    public static V1.Timings ToTimings(TimeSpan stored) => new() { StoreUs = Microseconds(stored) };

    private static ImageInput ToInput(V1.Image? image, Landmarks? landmarks = null, bool isAligned = false)
    {
        switch (Require.Present(image, "image").SourceCase)
        {
            case V1.Image.SourceOneofCase.Encoded:
                return new(image!.Encoded.Memory, PixelFormat.Encoded, 0, 0, landmarks) { IsAligned = isAligned };
            case V1.Image.SourceOneofCase.Pixels:
                var pixels = image!.Pixels;
                // The value 0 means an encoded file inside the server, and is not accepted from a client.
                return pixels.Format == V1.PixelFormat.Unspecified
                    ? throw Fault.Invalid(Reasons.PixelFormatInvalid, "image.pixels.format", "image.pixels.format is required.")
                    : new(pixels.Data.Memory, (PixelFormat)pixels.Format, pixels.Width, pixels.Height, landmarks)
                    {
                        RowStride = pixels.RowStride,
                        YuvMatrix = (YuvMatrix)pixels.YuvMatrix,
                        YuvRange = (YuvRange)pixels.YuvRange,
                        IsAligned = isAligned,
                    };
            default:
                throw Fault.Invalid(Reasons.FieldRequired, "image", "image must have either encoded or pixels.");
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
            ? throw Fault.Invalid(
                Reasons.LandmarksInvalid,
                $"landmarks.{name}",
                $"landmarks.{name} is required: alignment needs all five points.")
            : new(point.X, point.Y);

    private static long Microseconds(TimeSpan time) => (long)time.TotalMicroseconds;
}
