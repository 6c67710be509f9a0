using System.Numerics;
using Embeddings.Core;
using Embeddings.Core.Faces;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Storage;

namespace Embeddings.Server.Grpc.Photos;

/// <summary>Converts photos, options and faces between the contract and the core.</summary>
internal static class FaceMapping
{
    /// <summary>
    /// The photo of a request; <paramref name="path"/> is the path of its field. Its landmarks are found, not given.
    /// </summary>
    public static ImageInput ToPhoto(V1.Image? photo, string path) =>
        EmbeddingMapping.ToImage(photo ?? throw Require.Missing(path), path);

    /// <summary>Options of a request, which the finder checks; absent ones are the defaults.</summary>
    public static FaceSearch ToSearch(V1.FaceOptions? options)
    {
        var defaults = new FaceSearch();
        return options is null ? defaults : new()
        {
            MaxFaces = options.MaxFaces == 0 ? defaults.MaxFaces : options.MaxFaces,
            MinFaceSize = options.MinFaceSize == 0 ? defaults.MinFaceSize : options.MinFaceSize,
            MinConfidence = options.HasMinConfidence ? options.MinConfidence : null,
            MinQuality = options.HasMinQuality ? options.MinQuality : null,
            TryRotations = options.TryRotations,
            Detector = options.Detector,
            LandmarkModel = options.LandmarkModel,
            WithLiveness = options.WithLiveness,
        };
    }

    public static V1.Face ToContract(FoundFace face, int index)
    {
        var result = new V1.Face
        {
            FaceIndex = index,
            Bbox = ToContract(face.Box),
            Confidence = face.Confidence,
            Landmarks = ToContract(face.Landmarks),
            Quality = new()
            {
                Overall = face.Quality.Overall,
                Size = face.Quality.Size,
                Sharpness = face.Quality.Sharpness,
                Brightness = face.Quality.Brightness,
                Contrast = face.Quality.Contrast,
                Pose = face.Quality.Pose,
                Confidence = face.Quality.Confidence,
            },
            Pose = new() { Yaw = face.Pose.Yaw, Pitch = face.Pose.Pitch, Roll = face.Pose.Roll },
        };
        if (face.Liveness is { } liveness)
        {
            result.Liveness = liveness;
        }
        return result;
    }

    public static V1.LeftOutFace ToContract(LeftOutFace face) => new()
    {
        Bbox = ToContract(face.Box),
        Confidence = face.Confidence,
        Reason = (V1.LeftOutReason)face.Reason,
        Message = face.Message,
    };

    /// <summary>
    /// The time of a photo. Its faces share batches, so that the longest time of them counts, not their sum.
    /// </summary>
    public static V1.Timings ToTimings(
        PhotoFaces photo, IReadOnlyList<EmbedResult>? embeddings = null, TimeSpan stored = default)
    {
        return new()
        {
            QueueUs = Microseconds(photo.Queued + Longest(face => face.Queued)),
            PreprocessUs = Microseconds(photo.Preprocessed + Longest(face => face.Preprocessed)),
            InferenceUs = Microseconds(photo.Ran + Longest(face => face.Ran)),
            StoreUs = Microseconds(stored),
            BatchSize = embeddings is [.., var last] ? last.BatchSize : 0,
        };

        TimeSpan Longest(Func<EmbedResult, TimeSpan> time) =>
            embeddings is { Count: > 0 } ? embeddings.Max(time) : TimeSpan.Zero;

        static long Microseconds(TimeSpan time) => (long)time.TotalMicroseconds;
    }

    public static V1.PhotoInfo ToContract(PhotoFaces photo) => new()
    {
        Width = photo.Width,
        Height = photo.Height,
        ExifOrientation = photo.ExifOrientation,
        Rotation = photo.Rotation,
    };

    /// <summary>The part of a point's payload that describes the face.</summary>
    public static PointPayload ToPayload(FoundFace face, int index, PointPayload photo)
    {
        Span<Vector2> points = stackalloc Vector2[5];
        face.Landmarks.CopyTo(points);
        var values = new float[10];
        for (var i = 0; i < points.Length; i++)
        {
            (values[2 * i], values[(2 * i) + 1]) = (points[i].X, points[i].Y);
        }
        return photo with
        {
            FaceIndex = index,
            Bbox = new(face.Box.X, face.Box.Y, face.Box.Width, face.Box.Height),
            Confidence = face.Confidence,
            Landmarks = values,
        };
    }

    private static V1.BoundingBox ToContract(FaceBox box) =>
        new() { X = box.X, Y = box.Y, Width = box.Width, Height = box.Height };

    private static V1.FaceLandmarks ToContract(Landmarks landmarks)
    {
        Span<Vector2> points = stackalloc Vector2[5];
        landmarks.CopyTo(points);
        return new()
        {
            LeftEye = ToContract(points[0]),
            RightEye = ToContract(points[1]),
            Nose = ToContract(points[2]),
            LeftMouthCorner = ToContract(points[3]),
            RightMouthCorner = ToContract(points[4]),
        };
    }

    private static V1.Point ToContract(Vector2 point) => new() { X = point.X, Y = point.Y };
}
