using System.Text.Json;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Cli.Ingesting;

/// <summary>
/// One line of a manifest:
/// <c>{"path","job_id","media_store_id"?,"face_index"?,"bbox"?:{"x","y","width","height"},"confidence"?,"landmarks"?:[[x,y] five times],"attributes"?}</c>.
/// Other fields are passed over, so that a file of failed items is a manifest too.
/// </summary>
internal sealed record ManifestLine
{
    /// <summary>The picture, relative to the manifest's folder.</summary>
    public required string Path { get; init; }

    public required string JobId { get; init; }

    public string MediaStoreId { get; init; } = "";

    public int? FaceIndex { get; init; }

    public BoundingBox? Bbox { get; init; }

    public float? Confidence { get; init; }

    public FaceLandmarks? Landmarks { get; init; }

    public Struct? Attributes { get; init; }

    /// <summary>Reads a line of UTF-8 JSON. Throws <see cref="ItemFault"/> and nothing else, whatever the bytes are.</summary>
    public static ManifestLine Parse(ReadOnlyMemory<byte> utf8)
    {
        try
        {
            using var document = JsonDocument.Parse(utf8);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw ItemFault.Line("the line is not a JSON object");
            }
            var fields = new ManifestFields(document.RootElement);
            return new ManifestLine
            {
                Path = fields.Text("path") ?? throw ItemFault.Line("'path' is missing", "path"),
                JobId = fields.Text("job_id") ?? throw ItemFault.Line("'job_id' is missing", "job_id"),
                MediaStoreId = fields.Text("media_store_id", mayBeEmpty: true) ?? "",
                FaceIndex = fields.Integer("face_index"),
                Bbox = fields.Box("bbox"),
                Confidence = fields.Number("confidence"),
                Landmarks = fields.Landmarks("landmarks"),
                Attributes = fields.Struct("attributes"),
            };
        }
        catch (JsonException e)
        {
            throw ItemFault.Line($"the line is not JSON: {e.Message}");
        }
        catch (InvalidOperationException)
        {
            // Bytes that are not UTF-8, or half a surrogate pair: the parser finds them only when the text is asked for.
            throw ItemFault.Line("a text in the line is not valid Unicode");
        }
    }

    /// <summary>The id its point has in the store.</summary>
    public string PointId(ItemKind kind) => kind == ItemKind.Face ? $"{JobId}-{FaceIndex ?? 0}" : JobId;
}
