using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Primitives.Numerics;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>Encodes points as rows and decodes them, bit for bit.</summary>
internal static class PointCodec
{
    /// <summary>
    /// The maximum JSON depth, far above the contract's limit, so that everything stored can be read.
    /// </summary>
    public const int MaxJsonDepth = 1000;

    /// <summary>
    /// The columns that <see cref="Decode"/> reads, in order. The vector follows them, because a long one overflows to
    /// further pages.
    /// </summary>
    public const string Columns =
        "id, job_id, media_store_id, face_index, confidence, bbox, landmarks, attributes, stored_at, expires_at, hold";

    /// <summary>The number of <see cref="Columns"/>: the position of what follows them.</summary>
    public const int Count = 11;

    private static readonly JsonWriterOptions WriterOptions =
        new() { MaxDepth = MaxJsonDepth, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonDocumentOptions DocumentOptions = new() { MaxDepth = MaxJsonDepth };

    /// <summary>Encodes a point.</summary>
    /// <param name="point">The point.</param>
    /// <param name="now">The time of storing, if the point has none.</param>
    public static PointRow Encode(StoredPoint point, DateTimeOffset? now = null)
    {
        var payload = point.Payload;
        var row = new PointRow
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
            StoredAt = (payload.StoredAt ?? now)?.ToUnixTimeMilliseconds(),
            ExpiresAt = payload.ExpiresAt?.ToUnixTimeMilliseconds(),
            OnHold = payload.OnHold,
            Vector = LittleEndianFloats.Bytes(point.Vector),
        };
        return row with { Checksum = PointChecksum.Of(row) };
    }

    /// <summary>Decodes a row of <see cref="Columns"/>, and the vector after them if requested.</summary>
    public static StoredPoint Decode(SqliteDataReader row, bool withPayload, bool withVector)
    {
        var payload = withPayload
            ? new PointPayload
            {
                JobId = Text(row, 1),
                MediaStoreId = Text(row, 2),
                FaceIndex = row.IsDBNull(3) ? null : row.GetInt32(3),
                Confidence = row.IsDBNull(4) ? null : (float)row.GetDouble(4),
                Bbox = row.IsDBNull(5) ? null : Box(Floats(row, 5)),
                Landmarks = row.IsDBNull(6) ? null : Floats(row, 6),
                Attributes = row.IsDBNull(7) ? null : Attributes(row, 7),
                StoredAt = Time(row, 8),
                ExpiresAt = Time(row, 9),
                OnHold = !row.IsDBNull(10),
            }
            : PointPayload.Empty;
        return new StoredPoint(Text(row, 0), withVector ? Floats(row, Count) : default, payload);
    }

    /// <summary>Reads the bytes of the vector of a row with <see cref="Columns"/> and the vector after them.</summary>
    public static byte[] Vector(SqliteDataReader row) => row.GetFieldValue<byte[]>(Count);

    /// <summary>Reads a text column, including any U+0000, at which a read as string would end.</summary>
    public static string Text(SqliteDataReader row, int column) =>
        Encoding.UTF8.GetString(row.GetFieldValue<byte[]>(column));

    private static DateTimeOffset? Time(SqliteDataReader row, int column) =>
        row.IsDBNull(column) ? null : DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(column));

    private static BoundingBox? Box(float[] sides) =>
        sides is [var x, var y, var width, var height] ? new BoundingBox(x, y, width, height) : null;

    /// <summary>Reads the attributes, a column that is not NULL.</summary>
    public static JsonObject? Attributes(SqliteDataReader row, int column) =>
        JsonNode.Parse(row.GetFieldValue<byte[]>(column), documentOptions: DocumentOptions) as JsonObject;

    private static float[] Floats(SqliteDataReader row, int column) =>
        MemoryMarshal.Cast<byte, float>(row.GetFieldValue<byte[]>(column)).ToArray();

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
            catch (Exception exception)
                when (exception is ArgumentException or InvalidOperationException or NotSupportedException)
            {
                throw Fault.Invalid(
                    Reasons.FieldInvalid,
                    "payload.attributes",
                    $"attributes must be JSON with finite numbers and at most {MaxJsonDepth} levels.",
                    exception);
            }
        }

        return buffer.ToArray();
    }
}

/// <summary>
/// A point in the format of its table. Encoded on the caller's thread, so that the single writer has little to do.
/// </summary>
internal sealed record PointRow
{
    public required string Id { get; init; }

    /// <summary>The id in UTF-8. Texts are bound as bytes, because SQLite would end strings at U+0000.</summary>
    public required byte[] IdText { get; init; }

    public required byte[] JobId { get; init; }

    public required byte[] MediaStoreId { get; init; }

    public required int? FaceIndex { get; init; }

    public required float? Confidence { get; init; }

    /// <summary>Four little-endian floats; landmarks and vector have the same format.</summary>
    public required byte[]? Bbox { get; init; }

    public required byte[]? Landmarks { get; init; }

    /// <summary>JSON in UTF-8.</summary>
    public required byte[]? Attributes { get; init; }

    /// <summary>The time of storing, milliseconds of Unix time; the time of expiry has the same format.</summary>
    public required long? StoredAt { get; init; }

    public required long? ExpiresAt { get; init; }

    /// <summary>True to put a new point on legal hold. An existing point keeps its own.</summary>
    public required bool OnHold { get; init; }

    /// <summary>The vector as it was given: the caller's own memory, which must not change until the point is stored.</summary>
    public required ReadOnlyMemory<byte> Vector { get; init; }

    /// <summary>The checksum of everything above, except for the legal hold, which changes on its own.</summary>
    public long Checksum { get; init; }

    public ReadOnlySpan<float> Floats => MemoryMarshal.Cast<byte, float>(Vector.Span);
}
