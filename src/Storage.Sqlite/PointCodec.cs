using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>Points to rows and back, bit for bit.</summary>
internal static class PointCodec
{
    /// <summary>Far beyond what the contract lets in; what is stored must be readable.</summary>
    public const int MaxJsonDepth = 1000;

    /// <summary>What <see cref="Decode"/> reads, in its order; the vector last, since a wide one spills over pages others need not follow.</summary>
    public const string Columns = "id, job_id, media_store_id, face_index, confidence, bbox, landmarks, attributes";

    private static readonly JsonWriterOptions WriterOptions = new() { MaxDepth = MaxJsonDepth, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonDocumentOptions DocumentOptions = new() { MaxDepth = MaxJsonDepth };

    public static PointRow Encode(StoredPoint point)
    {
        var payload = point.Payload;
        return new PointRow
        {
            Id = point.Id,
            IdText = Encoding.UTF8.GetBytes(point.Id),
            JobId = Encoding.UTF8.GetBytes(payload.JobId),
            MediaStoreId = Encoding.UTF8.GetBytes(payload.MediaStoreId),
            FaceIndex = payload.FaceIndex,
            Confidence = payload.Confidence,
            Bbox = payload.Bbox is { } box ? Bytes([box.X, box.Y, box.Width, box.Height]) : null,
            Landmarks = payload.Landmarks is { } landmarks ? Bytes(landmarks) : null,
            Attributes = payload.Attributes is { } attributes ? Json(attributes) : null,
            Vector = Bytes(point.Vector.Span),
        };
    }

    /// <summary>The point a row of <see cref="Columns"/> holds, and the vector after them where the row has it.</summary>
    public static StoredPoint Decode(SqliteDataReader row, bool withPayload, bool withVector)
    {
        var payload = withPayload
            ? new PointPayload
            {
                JobId = Text(row, 1),
                MediaStoreId = Text(row, 2),
                FaceIndex = row.IsDBNull(3) ? null : row.GetInt32(3),
                Confidence = row.IsDBNull(4) ? null : (float)row.GetDouble(4),
                Bbox = row.IsDBNull(5) || Floats(row, 5) is not [var x, var y, var width, var height] ? null : new BoundingBox(x, y, width, height),
                Landmarks = row.IsDBNull(6) ? null : Floats(row, 6),
                Attributes = row.IsDBNull(7) ? null : JsonNode.Parse(row.GetFieldValue<byte[]>(7), documentOptions: DocumentOptions) as JsonObject,
            }
            : PointPayload.Empty;
        return new StoredPoint(Text(row, 0), withVector ? Floats(row, 8) : default, payload);
    }

    /// <summary>A text column whole: read as a string, it would end at U+0000.</summary>
    public static string Text(SqliteDataReader row, int column) => Encoding.UTF8.GetString(row.GetFieldValue<byte[]>(column));

    private static float[] Floats(SqliteDataReader row, int column) => MemoryMarshal.Cast<byte, float>(row.GetFieldValue<byte[]>(column)).ToArray();

    private static byte[] Bytes(ReadOnlySpan<float> floats) => MemoryMarshal.AsBytes(floats).ToArray();

    private static byte[] Json(JsonObject attributes)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, WriterOptions))
        {
            try
            {
                attributes.WriteTo(writer);
            }
            catch (Exception exception) when (exception is ArgumentException or InvalidOperationException or NotSupportedException)
            {
                throw Fault.Invalid(
                    Reasons.FieldInvalid, "payload.attributes", "attributes cannot be JSON: a number is not finite, or they are too deep", exception);
            }
        }

        return buffer.ToArray();
    }
}
