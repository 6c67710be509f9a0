using System.Runtime.InteropServices;
using Embeddings.Primitives;
using Embeddings.Primitives.Numerics;
using Embeddings.Storage;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>Converts points, vectors, and payloads between the contract and the store.</summary>
internal static class PointMapping
{
    public static StoredPoint ToStored(V1.VectorPoint? point) => new(
        Require.Text(Require.Present(point, "point").PointId, "point_id", Require.MaxPointIdBytes),
        ToVector(point!.Vector, point.VectorF32, "vector"),
        Require.Within("payload", () => ToStored(point.Payload)));

    /// <summary>Number of dimensions of a point's vector, in either form.</summary>
    public static int DimensionOf(V1.VectorPoint point) =>
        point.Vector.Count > 0 ? point.Vector.Count : point.VectorF32.Length / sizeof(float);

    /// <summary>A vector that a store accepts: not empty, finite, and not all zeros.</summary>
    /// <param name="values">The values, or empty.</param>
    /// <param name="bytes">The values as bytes, or empty.</param>
    /// <param name="field">Field of the values; that of the bytes has the suffix <c>_f32</c>.</param>
    public static ReadOnlyMemory<float> ToVector(RepeatedField<float> values, ByteString bytes, string field)
    {
        var vector = bytes.IsEmpty ? ToArray(values) : ToVector(bytes, field, values.Count);
        if (vector.IsEmpty)
        {
            throw Require.Missing(field);
        }
        if (!VectorMath.IsFinite(vector.Span))
        {
            throw Fault.Invalid(Reasons.VectorNotFinite, field, $"{field} must contain finite values; got NaN or infinity.");
        }
        return VectorMath.IsZero(vector.Span)
            ? throw Fault.Invalid(Reasons.VectorZero, field, $"{field} must not be all zeros: such a vector has no direction.")
            : vector;
    }

    public static PointPayload ToStored(V1.ImageItem item) => new()
    {
        JobId = Require.Text(item.JobId, "job_id", Require.MaxIdBytes),
        MediaStoreId = Require.Bounded(item.MediaStoreId, "media_store_id", Require.MaxIdBytes),
        Attributes = AttributeMapping.ToJson(item.Attributes),
        ExpiresAt = Time(item.ExpiresAt, "expires_at"),
    };

    public static PointPayload ToStored(V1.FaceItem item) => new()
    {
        JobId = Require.Text(item.JobId, "job_id", Require.MaxIdBytes),
        MediaStoreId = Require.Bounded(item.MediaStoreId, "media_store_id", Require.MaxIdBytes),
        FaceIndex = FaceIndex(item.FaceIndex),
        Bbox = ToStored(item.Bbox),
        Confidence = item.HasConfidence ? Confidence(item.Confidence) : null,
        Landmarks = ToStored(item.Face?.Landmarks, "face.landmarks"),
        Attributes = AttributeMapping.ToJson(item.Attributes),
        ExpiresAt = Time(item.ExpiresAt, "expires_at"),
    };

    /// <summary>The part of the payload that all faces of a photo have in common.</summary>
    public static PointPayload ToStored(V1.PhotoItem item) => new()
    {
        JobId = Require.Text(item.JobId, "job_id", Require.MaxIdBytes),
        MediaStoreId = Require.Bounded(item.MediaStoreId, "media_store_id", Require.MaxIdBytes),
        Attributes = AttributeMapping.ToJson(item.Attributes),
        ExpiresAt = Time(item.ExpiresAt, "expires_at"),
    };

    public static V1.VectorPoint ToContract(StoredPoint point, bool withPayload = true, bool vectorAsBytes = false)
    {
        var result = new V1.VectorPoint { PointId = point.Id };
        if (vectorAsBytes)
        {
            result.VectorF32 = ToBytes(point.Vector);
        }
        else if (MemoryMarshal.TryGetArray(point.Vector, out var vector) && vector.Count == vector.Array!.Length)
        {
            // The field copies an array as a block, and anything else, such as a segment of an array, value by value.
            result.Vector.AddRange(vector.Array);
        }
        else
        {
            result.Vector.AddRange(point.Vector.ToArray());
        }
        if (withPayload)
        {
            result.Payload = ToContract(point.Payload);
            result.StoredAt = point.Payload.StoredAt?.ToTimestamp();
            result.OnHold = point.Payload.OnHold;
        }
        return result;
    }

    /// <param name="point">The point.</param>
    /// <param name="withPayload">True to include the payload.</param>
    /// <param name="samePersonFrom">Score from which both faces show the same person; null if it is not known.</param>
    public static V1.ScoredPoint ToContract(ScoredStoredPoint point, bool withPayload, float? samePersonFrom)
    {
        var result = new V1.ScoredPoint { Score = point.Score, Point = ToContract(point.Point, withPayload) };
        if (samePersonFrom is { } threshold)
        {
            result.SamePerson = point.Score >= threshold;
        }
        return result;
    }

    /// <summary>The values as little-endian float32. They must not change.</summary>
    public static ByteString ToBytes(ReadOnlyMemory<float> values) =>
        UnsafeByteOperations.UnsafeWrap(LittleEndianFloats.Bytes(values));

    private static float[] ToArray(RepeatedField<float> values)
    {
        var vector = new float[values.Count];
        values.CopyTo(vector, 0);
        return vector;
    }

    // The bytes of the message: nothing writes to them, and they are kept as long as the vector.
    private static ReadOnlyMemory<float> ToVector(ByteString bytes, string field, int valueCount)
    {
        if (valueCount > 0)
        {
            throw Fault.Invalid(
                Reasons.FieldInvalid, $"{field}_f32", $"{field} and {field}_f32 must not both be set; remove one of them.");
        }
        if (bytes.Length % sizeof(float) != 0)
        {
            throw Fault.Invalid(
                Reasons.FieldInvalid,
                $"{field}_f32",
                $"{field}_f32 must have {sizeof(float)} bytes per value; got {bytes.Length} bytes, which is not a multiple of it.");
        }
        return LittleEndianFloats.Values(bytes.Memory);
    }

    private static V1.Payload ToContract(PointPayload payload)
    {
        var result = new V1.Payload
        {
            JobId = payload.JobId,
            MediaStoreId = payload.MediaStoreId,
            // Without fields, they are absent, as in the other store.
            Attributes = payload.Attributes is { Count: > 0 } attributes ? AttributeMapping.ToStruct(attributes) : null,
            ExpiresAt = payload.ExpiresAt?.ToTimestamp(),
        };
        if (payload.FaceIndex is { } index)
        {
            result.FaceIndex = index;
        }
        if (payload.Confidence is { } confidence)
        {
            result.Confidence = confidence;
        }
        if (payload.Bbox is { } box)
        {
            result.Bbox = new() { X = box.X, Y = box.Y, Width = box.Width, Height = box.Height };
        }
        if (payload.Landmarks is { Length: 10 } points)
        {
            result.Landmarks = new()
            {
                LeftEye = new() { X = points[0], Y = points[1] },
                RightEye = new() { X = points[2], Y = points[3] },
                Nose = new() { X = points[4], Y = points[5] },
                LeftMouthCorner = new() { X = points[6], Y = points[7] },
                RightMouthCorner = new() { X = points[8], Y = points[9] },
            };
        }
        return result;
    }

    private static PointPayload ToStored(V1.Payload? payload) => payload is null ? PointPayload.Empty : new()
    {
        JobId = Require.Bounded(payload.JobId, "job_id", Require.MaxIdBytes),
        MediaStoreId = Require.Bounded(payload.MediaStoreId, "media_store_id", Require.MaxIdBytes),
        FaceIndex = payload.HasFaceIndex ? FaceIndex(payload.FaceIndex) : null,
        Bbox = ToStored(payload.Bbox),
        Confidence = payload.HasConfidence ? Confidence(payload.Confidence) : null,
        Landmarks = ToStored(payload.Landmarks, "landmarks"),
        Attributes = AttributeMapping.ToJson(payload.Attributes),
        ExpiresAt = Time(payload.ExpiresAt, "expires_at"),
    };

    // In whole milliseconds, as the stores keep it.
    private static DateTimeOffset? Time(Timestamp? time, string field)
    {
        if (time is null)
        {
            return null;
        }
        const long MaxSeconds = 253_402_300_799;
        return time is { Seconds: >= -62_135_596_800 and <= MaxSeconds, Nanos: >= 0 and < 1_000_000_000 }
            ? DateTimeOffset.FromUnixTimeSeconds(time.Seconds).AddMilliseconds(time.Nanos / 1_000_000)
            : throw Fault.Invalid(
                Reasons.FieldInvalid,
                field,
                $"{field} must be a time from 0001-01-01 to 9999-12-31; got {time.Seconds} seconds and {time.Nanos} nanoseconds.");
    }

    private static int FaceIndex(int index) =>
        index >= 0
            ? index
            : throw Fault.Invalid(Reasons.FieldInvalid, "face_index", $"face_index must be 0 or greater; got {index}.");

    private static float Confidence(float value) => Require.InRange(value, "confidence", 0, 1);

    private static BoundingBox? ToStored(V1.BoundingBox? box)
    {
        if (box is null)
        {
            return null;
        }
        var finite = float.IsFinite(box.X) && float.IsFinite(box.Y) && float.IsFinite(box.Width) && float.IsFinite(box.Height);
        return finite && box.Width >= 0 && box.Height >= 0
            ? new(box.X, box.Y, box.Width, box.Height)
            : throw Fault.Invalid(
                Reasons.FieldInvalid,
                "bbox",
                "bbox must be finite, with a width and height of 0 or greater; "
                + $"got x {box.X}, y {box.Y}, width {box.Width}, height {box.Height}.");
    }

    private static float[]? ToStored(V1.FaceLandmarks? landmarks, string field)
    {
        if (landmarks is null)
        {
            return null;
        }
        V1.Point?[] points =
            [landmarks.LeftEye, landmarks.RightEye, landmarks.Nose, landmarks.LeftMouthCorner, landmarks.RightMouthCorner];
        return points.All(point => point is not null && float.IsFinite(point.X) && float.IsFinite(point.Y))
            ? [.. points.SelectMany(point => (float[])[point!.X, point.Y])]
            : throw Fault.Invalid(
                Reasons.LandmarksInvalid, field, $"{field} must contain all five points, each with finite coordinates.");
    }
}
