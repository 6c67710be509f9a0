using System.Runtime.InteropServices;
using Embeddings.Primitives.Numerics;
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
}

/// <summary>
/// Maps points to Qdrant's messages and back. Fields that another program wrote in another format are read as absent,
/// and its points have their Qdrant ids.
/// </summary>
internal static class PointMapper
{
    // Keys, tags, lengths, the id and fields of fixed size.
    private const int Overhead = 256;

    /// <summary>Selects the fields needed without the payload: the id, and the norm of the vector.</summary>
    public static WithPayloadSelector IdOnly =>
        new() { Include = new() { Fields = { PayloadKeys.PointId, PayloadKeys.VectorNorm } } };

    /// <summary>Maps a point.</summary>
    /// <param name="id">Qdrant's id.</param>
    /// <param name="point">The point.</param>
    /// <param name="now">The time of storing, if the point has none.</param>
    public static PointStruct ToPoint(Guid id, StoredPoint point, DateTimeOffset? now = null)
    {
        var vector = new DenseVector();
        var norm = Fill(vector, point.Vector);
        var result = new PointStruct
        {
            Id = new() { Uuid = id.ToString() },
            Vectors = new() { Vector = new() { Dense = vector } },
        };
        var fields = result.Payload;
        var payload = point.Payload;
        fields.Add(PayloadKeys.PointId, point.Id);
        fields.Add(PayloadKeys.JobId, payload.JobId);
        fields.Add(PayloadKeys.MediaStoreId, payload.MediaStoreId);
        if (norm is { } length)
        {
            fields.Add(PayloadKeys.VectorNorm, length);
        }
        if (payload.FaceIndex is { } face)
        {
            fields.Add(PayloadKeys.FaceIndex, (long)face);
        }
        if (payload.Confidence is { } confidence)
        {
            fields.Add(PayloadKeys.Confidence, (double)confidence);
        }
        if (payload.Bbox is { } box)
        {
            fields.Add(PayloadKeys.Bbox, Numbers(("x", box.X), ("y", box.Y), ("width", box.Width), ("height", box.Height)));
        }
        if (payload.Landmarks is { } landmarks)
        {
            var values = new ListValue { Values = { landmarks.Select(coordinate => (Value)(double)coordinate) } };
            fields.Add(PayloadKeys.Landmarks, new Value { ListValue = values });
        }
        if (payload.Attributes is { } attributes)
        {
            fields.Add(PayloadKeys.Attributes, AttributeValues.ToValue(attributes));
            if (StoredTimes.Of(attributes) is { } times)
            {
                fields.Add(PayloadKeys.Times, times);
            }
        }
        if ((payload.StoredAt ?? now) is { } storedAt)
        {
            fields.Add(PayloadKeys.StoredAt, storedAt.ToUnixTimeMilliseconds());
        }
        if (payload.ExpiresAt is { } expiresAt)
        {
            fields.Add(PayloadKeys.ExpiresAt, expiresAt.ToUnixTimeMilliseconds());
        }
        if (payload.OnHold)
        {
            fields.Add(PayloadKeys.Hold, true);
        }
        return result;
    }

    /// <summary>Normalizes a query vector.</summary>
    public static DenseVector ToQuery(ReadOnlyMemory<float> vector)
    {
        var result = new DenseVector();
        Fill(result, vector);
        return result;
    }

    /// <summary>
    /// Estimates a point's size on the wire in bytes. The estimate is never too low, so that it limits the size of an
    /// upsert.
    /// </summary>
    public static int SizeOf(StoredPoint point, PointStruct written)
    {
        var payload = point.Payload;
        var texts = point.Id.Length + payload.JobId.Length + payload.MediaStoreId.Length;
        var attributes = payload.Attributes is null ? 0 : written.Payload[PayloadKeys.Attributes].CalculateSize();
        attributes += written.Payload.TryGetValue(PayloadKeys.Times, out var times) ? times.CalculateSize() : 0;
        var boxes = (payload.Bbox is null ? 0 : Overhead / 2) + (payload.Landmarks is null ? 0 : Overhead / 2);
        return Overhead + (point.Vector.Length * sizeof(float)) + (texts * 3) + attributes + boxes;
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

    private static double? Fill(DenseVector target, ReadOnlyMemory<float> vector)
    {
        var norm = StoredVectors.NormOf(vector.Span);
        // The field copies an array as a block, and anything else, such as a segment of an array, value by value.
        if (norm is null && MemoryMarshal.TryGetArray(vector, out var own) && own.Count == own.Array!.Length)
        {
            target.Data.AddRange(own.Array);
            return null;
        }
        var unit = new float[vector.Length];
        VectorMath.Divide(vector.Span, norm ?? 1, unit);
        target.Data.AddRange(unit);
        return norm;
    }

    private static Value Numbers(params ReadOnlySpan<(string Name, float Number)> numbers)
    {
        var fields = new Struct();
        foreach (var (name, number) in numbers)
        {
            fields.Fields.Add(name, (double)number);
        }
        return new() { StructValue = fields };
    }
}
