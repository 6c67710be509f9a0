using System.Text.Json;
using Embeddings.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Cli.Ingesting;

/// <summary>
/// Typed fields of a manifest line. An absent field and a null are null; a field of the wrong type is an <see cref="ItemFault"/> that names it.
/// </summary>
internal readonly struct ManifestFields(JsonElement line)
{
    // The contract's limit. Deeper ones would also break the server's protobuf reader, and with it the whole stream.
    private const int MaxAttributeDepth = 32;

    public string? Text(string name, bool mayBeEmpty = false) =>
        Find(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.String && value.GetString()! is var text && (mayBeEmpty || text.Length > 0) ? text
        : throw Wrong(name, mayBeEmpty ? "a text" : "a text that is not empty");

    public int? Integer(string name) =>
        Find(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= 0 ? number
        : throw Wrong(name, "a whole number, 0 or more");

    public float? Number(string name) => Find(name) is { } value ? Finite(value, name) : null;

    public BoundingBox? Box(string name)
    {
        if (Find(name) is not { } value)
        {
            return null;
        }
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw Wrong(name, "an object with x, y, width and height");
        }
        var box = new ManifestFields(value);
        float Side(string side) => box.Number(side) ?? throw Wrong($"{name}.{side}", "there");
        return new BoundingBox { X = Side("x"), Y = Side("y"), Width = Side("width"), Height = Side("height") };
    }

    public FaceLandmarks? Landmarks(string name)
    {
        if (Find(name) is not { } value)
        {
            return null;
        }
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() != FacePoints.Count
            || value.EnumerateArray().Any(point => point.ValueKind != JsonValueKind.Array || point.GetArrayLength() != 2))
        {
            throw Wrong(name, "five pairs [x, y]");
        }
        return FacePoints.From([.. value.EnumerateArray().Select(point => new Point { X = Finite(point[0], name), Y = Finite(point[1], name) })]);
    }

    public Struct? Struct(string name)
    {
        if (Find(name) is not { } value)
        {
            return null;
        }
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw Wrong(name, "an object");
        }
        if (IsDeeper(value, MaxAttributeDepth))
        {
            throw Wrong(name, $"at most {MaxAttributeDepth} levels deep");
        }
        try
        {
            return JsonParser.Default.Parse<Struct>(value.GetRawText());
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or InvalidJsonException or ArgumentException)
        {
            throw Wrong(name, $"what the contract can carry: {e.Message}");
        }
    }

    private static bool IsDeeper(JsonElement value, int levels) => value.ValueKind switch
    {
        JsonValueKind.Object => levels == 0 || value.EnumerateObject().Any(field => IsDeeper(field.Value, levels - 1)),
        JsonValueKind.Array => levels == 0 || value.EnumerateArray().Any(item => IsDeeper(item, levels - 1)),
        _ => false,
    };

    private static float Finite(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out var number) && float.IsFinite(number)
            ? number
            : throw Wrong(name, "made of finite numbers");

    private static ItemFault Wrong(string name, string mustBe) => ItemFault.Line($"'{name}' must be {mustBe}", name);

    private JsonElement? Find(string name) =>
        line.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
}
