using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Embeddings.Storage;

/// <summary>
/// Sizes of points in responses: the bytes of the contract's messages, computed without creating them. Never too low,
/// and a few bytes too high per point, so that limits can be checked while a response is made.
/// </summary>
internal static class PointSize
{
    // A score, and the tags and lengths of the messages that contain a point.
    private const int Envelope = 16;
    private const int Confidence = 5;
    private const int FaceIndex = 6;
    private const int Bbox = 22;
    private const int Landmarks = 62;

    // A google.protobuf.Timestamp: seconds and nanoseconds.
    private const int Time = 16;
    private const int Hold = 2;

    /// <summary>The size of a point.</summary>
    public static long Of(StoredPoint point) =>
        Least(point.Vector.Length) + Field(Encoding.UTF8.GetByteCount(point.Id)) + Field(Of(point.Payload));

    /// <summary>A lower bound for <see cref="Of(StoredPoint)"/>, known before the point is read.</summary>
    /// <param name="dimension">The dimension of its vector; 0 if the vector is not requested.</param>
    public static long Least(int dimension) => Envelope + Field(sizeof(float) * (long)dimension);

    private static long Of(PointPayload payload) =>
        Field(Encoding.UTF8.GetByteCount(payload.JobId))
        + Field(Encoding.UTF8.GetByteCount(payload.MediaStoreId))
        + (payload.FaceIndex is null ? 0 : FaceIndex)
        + (payload.Bbox is null ? 0 : Bbox)
        + (payload.Confidence is null ? 0 : Confidence)
        + (payload.Landmarks is null ? 0 : Landmarks)
        + (payload.Attributes is { } attributes ? Field(Fields(attributes)) : 0)
        + (payload.StoredAt is null ? 0 : Time)
        + (payload.ExpiresAt is null ? 0 : Time)
        + (payload.OnHold ? Hold : 0);

    // google.protobuf.Struct: a map, whose entries are messages with key and value.
    private static long Fields(JsonObject attributes) =>
        attributes.Sum(entry => Field(Field(Encoding.UTF8.GetByteCount(entry.Key)) + Field(Of(entry.Value))));

    // google.protobuf.Value: one field for each kind.
    private static long Of(JsonNode? node) => node switch
    {
        JsonObject fields => Field(Fields(fields)),
        JsonArray items => Field(items.Sum(item => Field(Of(item)))),
        JsonValue value => Of(value),
        _ => 2,
    };

    private static long Of(JsonValue value) => value.GetValueKind() switch
    {
        JsonValueKind.String => Field(TextBytes(value)),
        JsonValueKind.Number => 1 + sizeof(double),
        _ => 2,
    };

    private static int TextBytes(JsonValue value)
    {
        if (!value.TryGetValue<JsonElement>(out var element))
        {
            return Encoding.UTF8.GetByteCount(value.GetValue<string>());
        }
        // The text as it was parsed, in quotation marks; a string object is needed only for its escape sequences.
        var raw = JsonMarshal.GetRawUtf8Value(element);
        return raw.Contains((byte)'\\') ? Encoding.UTF8.GetByteCount(element.GetString()!) : raw.Length - 2;
    }

    // A tag of one byte, the length, and the content.
    private static long Field(long length)
    {
        var size = 2 + length;
        for (var rest = length >> 7; rest > 0; rest >>= 7)
        {
            size++;
        }
        return size;
    }
}
