using System.Text.Json;
using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Maps the user's attributes from JSON to Qdrant's values and back. Whole numbers become integers, other numbers
/// doubles; filters compare both alike.
/// </summary>
internal static class AttributeValues
{
    // Protocol Buffers readers accept 100 nested messages; a JSON level takes up to three. Deeper values are stored as
    // text.
    private const int MaxDepth = 16;
    private const string TextKey = AttributeKeys.Text;
    // 2^63. Qdrant reads integers from its files exactly, but decimals of more than 15 digits only to the last place.
    private const double IntegerLimit = 9_223_372_036_854_775_808;

    private static readonly JsonSerializerOptions Deep = new() { MaxDepth = 1000 };
    private static readonly JsonDocumentOptions DeepDocument = new() { MaxDepth = 1000 };

    public static Value ToValue(JsonObject attributes) => ToValue(attributes, MaxDepth);

    // Filters lead through objects, so each field is stored as text only if it must be, not the whole object.
    private static Value ToValue(JsonObject attributes, int depth)
    {
        var fields = new Struct();
        foreach (var (name, node) in attributes)
        {
            fields.Fields.Add(AttributeKeys.Encode(name), Field(node, depth));
        }
        return new() { StructValue = fields };
    }

    private static Value Field(JsonNode? node, int depth) => node switch
    {
        JsonObject nested => depth > 0 ? ToValue(nested, depth - 1) : AsText(nested),
        JsonArray items => IsPlain(items, depth) && !IsListWithoutValues(items) ? ToValue(items) : AsText(items),
        _ => ToValue(node),
    };

    /// <summary>
    /// Returns the paths in Qdrant that are needed to read a nested field: its own and, if it is nested in another, those of the
    /// texts that the outer ones may be stored as.
    /// </summary>
    public static IEnumerable<string> PathsOf(IReadOnlyList<string> names)
    {
        for (var count = names.Count; count > 0; count--)
        {
            var path = AttributeKeys.Path(new AttributePath([.. names.Take(count)]));
            yield return count == names.Count ? path : $"{path}.\"{AttributeKeys.Text}\"";
        }
    }

    public static JsonObject ToJson(Struct fields)
    {
        var json = new JsonObject();
        foreach (var (key, value) in fields.Fields)
        {
            json[AttributeKeys.Decode(key)] = ToJson(value);
        }
        return json;
    }

    private static Value ToValue(JsonNode? node)
    {
        switch (node)
        {
            case null:
                return new() { NullValue = NullValue.NullValue };
            case JsonArray items:
                var list = new ListValue();
                list.Values.AddRange(items.Select(ToValue));
                return new() { ListValue = list };
            case JsonObject fields:
                var nested = new Struct();
                foreach (var (name, field) in fields)
                {
                    nested.Fields.Add(AttributeKeys.Encode(name), ToValue(field));
                }
                return new() { StructValue = nested };
            default:
                return ToValue(node.AsValue());
        }
    }

    private static Value ToValue(JsonValue value)
    {
        if (value.TryGetValue<string>(out var text))
        {
            return new() { StringValue = text };
        }
        if (value.TryGetValue<bool>(out var flag))
        {
            return new() { BoolValue = flag };
        }
        if (value.TryGetValue<long>(out var whole))
        {
            return new() { IntegerValue = whole };
        }
        if (value.TryGetValue<int>(out var small))
        {
            return new() { IntegerValue = small };
        }
        if (!value.TryGetValue<double>(out var number))
        {
            number = value.Deserialize<double>();
        }
        if (!double.IsFinite(number))
        {
            throw Fault.Invalid(
                Reasons.FieldInvalid, "payload.attributes", $"attributes must be JSON with finite numbers; got {number}.");
        }
        // Negative zero is not an integer.
        return double.IsInteger(number)
            && number is >= -IntegerLimit and < IntegerLimit
            && !(number == 0 && double.IsNegative(number))
            ? new() { IntegerValue = (long)number }
            : new() { DoubleValue = number };
    }

    private static JsonNode? ToJson(Value value) => value.KindCase switch
    {
        Value.KindOneofCase.StringValue => JsonValue.Create(value.StringValue),
        Value.KindOneofCase.BoolValue => JsonValue.Create(value.BoolValue),
        Value.KindOneofCase.IntegerValue => Number(value.IntegerValue),
        Value.KindOneofCase.DoubleValue => Number(value.DoubleValue),
        Value.KindOneofCase.ListValue => new JsonArray([.. value.ListValue.Values.Select(ToJson)]),
        Value.KindOneofCase.StructValue =>
            value.StructValue.Fields is { Count: 1 } fields && fields.TryGetValue(TextKey, out var text)
                ? JsonNode.Parse(text.StringValue, documentOptions: DeepDocument)
                : ToJson(value.StructValue),
        _ => null,
    };

    // As a parsed element, which can be read as any numeric type that fits.
    private static JsonNode? Number<T>(T number) => JsonValue.Create(JsonSerializer.SerializeToElement(number));

    private static Value AsText(JsonNode node) =>
        new() { StructValue = new() { Fields = { [TextKey] = node.ToJsonString(Deep) } } };

    // For Qdrant, such a list does not exist. No condition on values matches it in either form.
    private static bool IsListWithoutValues(JsonNode? node) => node is JsonArray items && items.All(item => item is null);

    // The key of an object stored as text cannot be a user's (AttributeKeys), so that reading is unambiguous.
    private static bool IsPlain(JsonNode? node, int depth) => node switch
    {
        JsonObject fields => depth > 0 && fields.All(field => IsPlain(field.Value, depth - 1)),
        JsonArray items => depth > 0 && items.All(item => IsPlain(item, depth - 1)),
        _ => true,
    };
}

/// <summary>
/// Encodes the user's field names as keys in Qdrant. Its JSON paths accept quoted names without quotes and backslashes,
/// so these characters and the percent sign are stored as %22, %5C and %25. The name <see cref="Text"/>, which marks values
/// stored as text, begins with %24.
/// </summary>
internal static class AttributeKeys
{
    /// <summary>The only key of an object that holds a value as text.</summary>
    public const string Text = "$json";

    private const string OwnText = "%24json";

    public static string Encode(string name) =>
        name == Text ? OwnText
        : name.AsSpan().IndexOfAny('%', '"', '\\') < 0 ? name
        : name.Replace("%", "%25").Replace("\"", "%22").Replace("\\", "%5C");

    public static string Decode(string key) =>
        key == OwnText ? Text
        : key.Contains('%') ? key.Replace("%22", "\"").Replace("%5C", "\\").Replace("%25", "%") : key;

    /// <summary>Returns the path of a top-level field in filters.</summary>
    public static string Path(string name) => $"{PayloadKeys.Attributes}.{Quote(name)}";

    /// <summary>Returns the path of a field in filters.</summary>
    public static string Path(AttributePath path) => Path(PayloadKeys.Attributes, path);

    /// <summary>Returns the path of a field within a field of the payload.</summary>
    public static string Path(string root, AttributePath path) => $"{root}.{string.Join('.', path.Names.Select(Quote))}";

    /// <summary>Returns the name of a field in paths, in quotes if it needs them.</summary>
    public static string Quote(string name)
    {
        var key = Encode(name);
        var isPlain = key.Length > 0 && key.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-');
        return isPlain ? key : $"\"{key}\"";
    }
}
