using Embeddings.Primitives.Numerics;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Keys of a point's payload. The user's fields are nested in <see cref="Attributes"/>, so no key can collide.
/// </summary>
internal static class PayloadKeys
{
    public const string PointId = "point_id";
    public const string JobId = "job_id";
    public const string MediaStoreId = "media_store_id";
    public const string FaceIndex = "face_index";
    public const string Bbox = "bbox";
    public const string Confidence = "confidence";
    public const string Landmarks = "landmarks";
    public const string Attributes = "attributes";

    /// <summary>The times in the user's fields (<see cref="StoredTimes"/>); absent if there are none.</summary>
    public const string Times = "attribute_times";

    /// <summary>Time of storing, milliseconds of Unix time; the time of expiry has the same format.</summary>
    public const string StoredAt = "stored_at";

    public const string ExpiresAt = "expires_at";

    /// <summary>True on legal hold; otherwise absent.</summary>
    public const string Hold = "legal_hold";

    /// <summary>The norm of the vector before normalization; absent if it was 1.</summary>
    public const string VectorNorm = "vector_norm";

    // In the metadata of a collection, or in the payload of its reserved point.
    public const string Layout = "embeddings_layout";
    public const string Model = "model";
    public const string ModelFingerprint = "model_fingerprint";

    /// <summary>True in the metadata of a collection that has or had points on legal hold.</summary>
    public const string Holds = "legal_holds";

    /// <summary>The indexed attributes, in the metadata of a collection.</summary>
    public const string IndexedAttributes = "indexed_attributes";

    /// <summary>The retention period of a collection, whole seconds; 0 for none.</summary>
    public const string Retention = "retention_seconds";

    /// <summary>A random text by which the call that has created a collection recognizes it after a lost response.</summary>
    public const string Creation = "creation";
}

/// <summary>
/// Maps points to Qdrant's messages and back. Fields that another program wrote in another format are read as absent,
/// and its points have their Qdrant ids.
/// </summary>
internal static class PointMapper
{
    /// <summary>Selects the fields needed without the payload: the id, and the norm of the vector.</summary>
    public static WithPayloadSelector IdOnly =>
        new() { Include = new() { Fields = { PayloadKeys.PointId, PayloadKeys.VectorNorm } } };

    /// <summary>Maps a point.</summary>
    /// <param name="id">Qdrant's id.</param>
    /// <param name="point">The point, whose vector must not change until the message has been sent.</param>
    /// <param name="now">The time of storing, if the point has none.</param>
    public static Wire.PointStruct ToPoint(Guid id, StoredPoint point, DateTimeOffset? now = null)
    {
        var norm = UnitVectors.NormOf(point.Vector.Span);
        var unit = norm is { } divisor ? Divide(point.Vector.Span, divisor) : point.Vector;
        var result = new Wire.PointStruct
        {
            Id = new() { Uuid = id.ToString() },
            Vectors = new() { Vector = new() { Dense = new() { Data = UnsafeByteOperations.UnsafeWrap(LittleEndianFloats.Bytes(unit)) } } },
        };
        var fields = result.Payload;
        var payload = point.Payload;
        Add(fields, PayloadKeys.PointId, new() { StringValue = point.Id });
        Add(fields, PayloadKeys.JobId, new() { StringValue = payload.JobId });
        Add(fields, PayloadKeys.MediaStoreId, new() { StringValue = payload.MediaStoreId });
        if (norm is { } length)
        {
            Add(fields, PayloadKeys.VectorNorm, new() { DoubleValue = length });
        }
        if (payload.FaceIndex is { } face)
        {
            Add(fields, PayloadKeys.FaceIndex, new() { IntegerValue = face });
        }
        if (payload.Confidence is { } confidence)
        {
            Add(fields, PayloadKeys.Confidence, new() { DoubleValue = confidence });
        }
        if (payload.Bbox is { } box)
        {
            var sides = new Wire.Struct();
            Add(sides.Fields, "x", new() { DoubleValue = box.X });
            Add(sides.Fields, "y", new() { DoubleValue = box.Y });
            Add(sides.Fields, "width", new() { DoubleValue = box.Width });
            Add(sides.Fields, "height", new() { DoubleValue = box.Height });
            Add(fields, PayloadKeys.Bbox, new() { StructValue = sides });
        }
        if (payload.Landmarks is { } landmarks)
        {
            var values = new Wire.ListValue();
            values.Values.AddRange(landmarks.Select(static coordinate => new Wire.Value { DoubleValue = coordinate }));
            Add(fields, PayloadKeys.Landmarks, new() { ListValue = values });
        }
        if (payload.Attributes is { } attributes)
        {
            var value = Wire.Value.Parser.ParseFrom(AttributeValues.ToValue(attributes).ToByteArray());
            Add(fields, PayloadKeys.Attributes, value);
            if (StoredTimes.Of(attributes) is { } times)
            {
                Add(fields, PayloadKeys.Times, Wire.Value.Parser.ParseFrom(times.ToByteArray()));
            }
        }
        if ((payload.StoredAt ?? now) is { } storedAt)
        {
            Add(fields, PayloadKeys.StoredAt, new() { IntegerValue = storedAt.ToUnixTimeMilliseconds() });
        }
        if (payload.ExpiresAt is { } expiresAt)
        {
            Add(fields, PayloadKeys.ExpiresAt, new() { IntegerValue = expiresAt.ToUnixTimeMilliseconds() });
        }
        if (payload.OnHold)
        {
            Add(fields, PayloadKeys.Hold, new() { BoolValue = true });
        }
        return result;
    }

    /// <summary>Encodes a point for an upsert.</summary>
    public static ByteString Encode(Wire.PointStruct point)
    {
        var bytes = GC.AllocateUninitializedArray<byte>(point.CalculateSize());
        point.WriteTo(bytes.AsSpan());
        return UnsafeByteOperations.UnsafeWrap(bytes);
    }

    /// <summary>Normalizes a query vector.</summary>
    public static DenseVector ToQuery(ReadOnlyMemory<float> vector)
    {
        var result = new DenseVector();
        var norm = UnitVectors.NormOf(vector.Span);
        // The field copies an array as a block, and anything else value by value.
        result.Data.AddRange(Divide(vector.Span, norm ?? 1));
        return result;
    }

    public static StoredPoint ToStored(
        PointId id, IDictionary<string, Value> fields, VectorsOutput? vectors, bool withPayload) =>
        new(IdOf(id, fields), Vector(fields, vectors), withPayload ? Payload(fields) : PointPayload.Empty);

    /// <summary>The id of a point found by a search.</summary>
    public static string IdOf(ScoredPoint hit) => IdOf(hit.Id, hit.Payload);

    private static string IdOf(PointId id, IDictionary<string, Value> fields)
    {
        if (fields.TryGetValue(PayloadKeys.PointId, out var name) && name.HasStringValue)
        {
            return name.StringValue;
        }
        return id.HasUuid ? id.Uuid : $"{id.Num}";
    }

    private static ReadOnlyMemory<float> Vector(IDictionary<string, Value> fields, VectorsOutput? vectors) =>
        vectors?.Vector?.GetDenseVector() is { } dense
            ? StoredVectors.FromUnit(dense.Data, Number(fields, PayloadKeys.VectorNorm))
            : default(ReadOnlyMemory<float>);

    private static PointPayload Payload(IDictionary<string, Value> fields) => new()
    {
        JobId = Text(fields, PayloadKeys.JobId),
        MediaStoreId = Text(fields, PayloadKeys.MediaStoreId),
        FaceIndex = fields.TryGetValue(PayloadKeys.FaceIndex, out var face) && face.HasIntegerValue
            ? (int)face.IntegerValue
            : null,
        Confidence = (float?)Number(fields, PayloadKeys.Confidence),
        Bbox = fields.TryGetValue(PayloadKeys.Bbox, out var box) && box.StructValue is { } sides ? Box(sides.Fields) : null,
        Landmarks = fields.TryGetValue(PayloadKeys.Landmarks, out var landmarks) && landmarks.ListValue is { } list
            ? [.. list.Values.Select(value => (float)(Number(value) ?? 0))]
            : null,
        Attributes = fields.TryGetValue(PayloadKeys.Attributes, out var attributes) && attributes.StructValue is { } own
            ? AttributeValues.ToJson(own)
            : null,
        StoredAt = Time(fields, PayloadKeys.StoredAt),
        ExpiresAt = Time(fields, PayloadKeys.ExpiresAt),
        OnHold = IsHeld(fields),
    };

    /// <summary>Returns true if a point with this payload is on legal hold.</summary>
    public static bool IsHeld(IDictionary<string, Value> fields) =>
        fields.TryGetValue(PayloadKeys.Hold, out var hold) && hold is { HasBoolValue: true, BoolValue: true };

    /// <summary>The id of a point that was read.</summary>
    public static string IdOf(RetrievedPoint point) => IdOf(point.Id, point.Payload);

    /// <summary>Id and job of a point that was read.</summary>
    public static PointKey KeyOf(RetrievedPoint point) => new(IdOf(point), Text(point.Payload, PayloadKeys.JobId));

    // Times of another program may be out of range.
    private static DateTimeOffset? Time(IDictionary<string, Value> fields, string key) =>
        fields.TryGetValue(key, out var time)
        && time.HasIntegerValue
        && time.IntegerValue >= DateTimeOffset.MinValue.ToUnixTimeMilliseconds()
        && time.IntegerValue <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            ? DateTimeOffset.FromUnixTimeMilliseconds(time.IntegerValue)
            : null;

    private static BoundingBox Box(IDictionary<string, Value> sides)
    {
        return new(Side("x"), Side("y"), Side("width"), Side("height"));

        float Side(string name) => (float)(Number(sides, name) ?? 0);
    }

    private static string Text(IDictionary<string, Value> fields, string key) =>
        fields.TryGetValue(key, out var value) && value.HasStringValue ? value.StringValue : "";

    private static double? Number(IDictionary<string, Value> fields, string key) =>
        fields.TryGetValue(key, out var value) ? Number(value) : null;

    private static double? Number(Value value) => value.KindCase switch
    {
        Value.KindOneofCase.DoubleValue => value.DoubleValue,
        Value.KindOneofCase.IntegerValue => value.IntegerValue,
        _ => null,
    };

    private static float[] Divide(ReadOnlySpan<float> vector, double divisor)
    {
        var result = new float[vector.Length];
        VectorMath.Divide(vector, divisor, result);
        return result;
    }

    private static void Add(RepeatedField<Wire.PayloadEntry> fields, string key, Wire.Value value) =>
        fields.Add(new Wire.PayloadEntry { Key = key, Value = value });
}
