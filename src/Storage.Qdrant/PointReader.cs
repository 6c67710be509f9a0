using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Points as Qdrant gives them. What another program wrote in another form reads as absent, and its points go by their Qdrant ids.
/// </summary>
internal static class PointReader
{
    /// <summary>What to ask for where the payload is not wanted: the name, and what the vector needs.</summary>
    public static WithPayloadSelector NameOnly => new() { Include = new() { Fields = { PayloadKeys.PointId, PayloadKeys.VectorNorm } } };

    public static StoredPoint Read(PointId id, IDictionary<string, Value> fields, VectorsOutput? vectors, bool withPayload) =>
        new(Name(id, fields), Vector(fields, vectors), withPayload ? Payload(fields) : PointPayload.Empty);

    public static string Name(PointId id, IDictionary<string, Value> fields) =>
        fields.TryGetValue(PayloadKeys.PointId, out var name) && name.HasStringValue ? name.StringValue : id.HasUuid ? id.Uuid : $"{id.Num}";

    private static ReadOnlyMemory<float> Vector(IDictionary<string, Value> fields, VectorsOutput? vectors) =>
        vectors?.Vector?.GetDenseVector() is { } dense
            ? StoredVectors.FromUnit(dense.Data, Number(fields, PayloadKeys.VectorNorm))
            : default(ReadOnlyMemory<float>);

    private static PointPayload Payload(IDictionary<string, Value> fields) => new()
    {
        JobId = Text(fields, PayloadKeys.JobId),
        MediaStoreId = Text(fields, PayloadKeys.MediaStoreId),
        FaceIndex = fields.TryGetValue(PayloadKeys.FaceIndex, out var face) && face.HasIntegerValue ? (int)face.IntegerValue : null,
        Confidence = (float?)Number(fields, PayloadKeys.Confidence),
        Bbox = fields.TryGetValue(PayloadKeys.Bbox, out var box) && box.StructValue is { } sides ? Box(sides.Fields) : null,
        Landmarks = fields.TryGetValue(PayloadKeys.Landmarks, out var marks) && marks.ListValue is { } list
            ? [.. list.Values.Select(value => (float)(Number(value) ?? 0))]
            : null,
        Attributes = fields.TryGetValue(PayloadKeys.Attributes, out var attributes) && attributes.StructValue is { } own ? AttributeValues.ToJson(own) : null,
    };

    private static BoundingBox Box(IDictionary<string, Value> sides)
    {
        return new(Side("x"), Side("y"), Side("width"), Side("height"));

        float Side(string name) => (float)(Number(sides, name) ?? 0);
    }

    private static string Text(IDictionary<string, Value> fields, string key) =>
        fields.TryGetValue(key, out var value) && value.HasStringValue ? value.StringValue : "";

    private static double? Number(IDictionary<string, Value> fields, string key) => fields.TryGetValue(key, out var value) ? Number(value) : null;

    private static double? Number(Value value) => value.KindCase switch
    {
        Value.KindOneofCase.DoubleValue => value.DoubleValue,
        Value.KindOneofCase.IntegerValue => value.IntegerValue,
        _ => null,
    };
}
