using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Embeddings.Primitives;
using Embeddings.Tooling.Items;
using Embeddings.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Tooling.Ingesting;

/// <summary>
/// One line of an item list, as JSON in snake case. <c>path</c> and <c>job_id</c> are required to ingest an item;
/// unknown and duplicate fields are errors. Fields that describe a face are used for faces only, not for images and photos.
/// <c>line</c>, <c>error</c> and <c>text</c> occur in lists of failed items and are ignored when such a list is read.
/// </summary>
internal sealed record ItemListLine
{
    /// <summary>Image file, relative to the directory of the list.</summary>
    public string Path { get; set; } = "";

    public string JobId { get; set; } = "";

    public string? MediaStoreId { get; set; }

    public int? FaceIndex { get; set; }

    public ItemBox? Bbox { get; set; }

    public float? Confidence { get; set; }

    /// <summary>Five [x, y] pairs in pixels of the image.</summary>
    public float[][]? Landmarks { get; set; }

    public JsonElement? Attributes { get; set; }

    /// <summary>Subject for <c>models check</c> and <c>run --photos</c>; not used to ingest.</summary>
    public string? Label { get; set; }

    public long? Line { get; set; }

    public ItemListError? Error { get; set; }

    public string? Text { get; set; }

    /// <summary>Parses a line.</summary>
    /// <exception cref="ItemFault">The line is invalid. Nothing else is thrown, whatever the bytes are.</exception>
    public static ItemListLine Parse(RawLine line)
    {
        if (line.IsCut)
        {
            throw ItemFault.Line($"Line {line.Number} must have at most {LineReader.MaxLineBytes:N0} bytes.");
        }
        try
        {
            var parsed = JsonSerializer.Deserialize(line.Bytes.Span, ItemListJson.Default.ItemListLine);
            return parsed ?? throw ItemFault.Line($"Line {line.Number} must be a JSON object; got null.");
        }
        catch (JsonException e)
        {
            var field = Field(e.Path ?? "");
            var position = $"Line {line.Number}, position {e.BytePositionInLine + 1}";
            throw ItemFault.Line($"{position}: {Reason(e.Message, field)}", field);
        }
    }

    /// <summary>Checks the fields that the JSON types do not check.</summary>
    /// <exception cref="ItemFault">A field is missing or out of range.</exception>
    public void CheckForIngest()
    {
        Require(Path.Length > 0 && !Path.Contains('\0'), "path");
        Require(JobId.Length > 0, "job_id");
        Require(FaceIndex is null or >= 0, "face_index");
        Require(Bbox is null || float.IsFinite(Bbox.X + Bbox.Y + Bbox.Width + Bbox.Height), "bbox");
        Require(Confidence is null || float.IsFinite(Confidence.Value), "confidence");
        CheckLandmarks();
        ToStruct();
    }

    /// <summary>Checks the landmarks alone.</summary>
    /// <exception cref="ItemFault">They are not five pairs of finite numbers.</exception>
    public void CheckLandmarks() => Require(
        Landmarks is null or { Length: FacePoints.Count }
            && Landmarks?.All(point => point is [var x, var y] && float.IsFinite(x + y)) != false,
        "landmarks");

    /// <summary>Returns what identifies the item: the id of its point, or the job of a photo.</summary>
    public string Id(ItemKind kind) => kind == ItemKind.Face ? $"{JobId}-{FaceIndex ?? 0}" : JobId;

    /// <summary>
    /// Returns the id of the point that shows that the item is stored. All faces of a photo are stored at once, so that the
    /// first stands for them; a photo without faces has no point.
    /// </summary>
    public string StoredId(ItemKind kind) => kind == ItemKind.Photo ? $"{JobId}-0" : Id(kind);

    /// <summary>Returns the request that ingests an item with this line.</summary>
    /// <exception cref="ItemFault">The item's attributes cannot be stored.</exception>
    public StreamIngestRequest ToRequest(IngestItem item, Image image, IngestSettings settings)
    {
        var request = new StreamIngestRequest
        {
            ItemId = item.Number.ToString(CultureInfo.InvariantCulture),
            Model = settings.Model,
            Collection = settings.Collection,
        };
        var mediaStoreId = MediaStoreId ?? "";
        var attributes = settings.Added?.For(item, ToStruct()) ?? ToStruct();
        if (settings.Kind == ItemKind.Image)
        {
            request.Image = new() { JobId = JobId, MediaStoreId = mediaStoreId, Image = image, Attributes = attributes };
            return request;
        }
        if (settings.Kind == ItemKind.Photo)
        {
            request.Photo = new()
            {
                JobId = JobId,
                MediaStoreId = mediaStoreId,
                Photo = image,
                Attributes = attributes,
                Options = settings.Faces,
            };
            return request;
        }
        var landmarks = Landmarks is null ? null : FacePoints.From(Landmarks.Select(point => (point[0], point[1])));
        request.Face = new FaceItem
        {
            JobId = JobId,
            MediaStoreId = mediaStoreId,
            FaceIndex = FaceIndex ?? 0,
            Face = new FaceCrop { Image = image, Landmarks = landmarks, Aligned = settings.Aligned },
            Bbox = Bbox is null ? null : new() { X = Bbox.X, Y = Bbox.Y, Width = Bbox.Width, Height = Bbox.Height },
            Attributes = attributes,
        };
        if (Confidence is { } confidence)
        {
            request.Face.Confidence = confidence;
        }
        return request;
    }

    private Struct? ToStruct()
    {
        Require(Attributes is null or { ValueKind: JsonValueKind.Object or JsonValueKind.Null }, "attributes");
        if (Attributes is { } all && WholeNumbers.FirstInexact(all) is { } number)
        {
            throw ItemFault.Line($"attributes {WholeNumbers.Refusal(number)}", "attributes");
        }
        try
        {
            return Attributes is { ValueKind: JsonValueKind.Object } attributes
                ? JsonParser.Default.Parse<Struct>(attributes.GetRawText())
                : null;
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or InvalidJsonException or ArgumentException)
        {
            throw ItemFault.Line($"attributes cannot be stored: {e.Message}", "attributes");
        }
    }

    private static void Require(bool holds, string field)
    {
        if (!holds)
        {
            throw ItemFault.Line($"{field} must be {Expected(field)}.", field);
        }
    }

    // "$.landmarks[2][0]" is the field landmarks, "$.bbox.x" is bbox.x.
    private static string Field(string path) => path.TrimStart('$', '.').Split('[')[0];

    // The serializer names .NET types; the user knows fields.
    private static string Reason(string message, string field)
    {
        bool Says(string text) => message.Contains(text, StringComparison.Ordinal);
        return message switch
        {
            _ when Says("could not be converted") && field.Length == 0 => "The line must be a JSON object.",
            _ when Says("could not be converted") || Says("missing required") => $"{field} must be {Expected(field)}.",
            _ when Says("could not be mapped") => Unknown(field),
            _ when Says("Duplicate property") => $"{(field.Length > 0 ? field : "A field")} occurs twice.",
            _ => message.Split(" Path: ")[0],
        };
    }

    private static string Unknown(string field)
    {
        string[] outer = field.Split('.')[..^1];
        var type = outer is ["bbox"] ? ItemListJson.Default.ItemBox : (JsonTypeInfo)ItemListJson.Default.ItemListLine;
        var known = type.Properties.Select(property => string.Join('.', [.. outer, property.Name])).ToList();
        return NearestName.Of(field, known) is { } near
            ? $"{field} is not a field of an item list. Did you mean {near}?"
            : $"{field} is not a field of an item list. The fields are {string.Join(", ", known)}.";
    }

    private static string Expected(string field) => field.Split('.')[0] switch
    {
        "path" or "job_id" => "a string that is not empty",
        "face_index" => "an integer, 0 or more",
        "bbox" => "an object with the finite numbers x, y, width and height",
        "confidence" => "a finite number",
        "landmarks" => "five [x, y] pairs of finite numbers",
        "attributes" => $"an object with at most {ItemListJson.AttributeLevels} levels",
        "line" => "an integer",
        _ => "a string",
    };
}

/// <summary>Bounding box of a face, in pixels of the source image.</summary>
internal sealed record ItemBox(float X, float Y, float Width, float Height);

/// <summary>Error of a failed item.</summary>
internal sealed record ItemListError(int Code, string Status, string Reason, string Message, string? Field);

// The depth of the contract's attributes, and one for the line. Deeper ones would break the server's Protocol Buffers
// reader, and with it the whole stream.
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    MaxDepth = AttributeLevels + 1,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ItemListLine))]
internal sealed partial class ItemListJson : JsonSerializerContext
{
    public const int AttributeLevels = 32;
}
