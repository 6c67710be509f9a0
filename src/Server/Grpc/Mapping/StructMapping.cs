using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>The user's own fields: google.protobuf.Struct to JSON and back.</summary>
internal static class StructMapping
{
    /// <summary>Levels of nesting that are taken.</summary>
    public const int MaxDepth = 32;

    /// <summary>Bytes that the fields may take as JSON.</summary>
    public const int MaxBytes = 64 * 1024;

    public static JsonObject? ToJson(Struct? attributes)
    {
        if (attributes is null || attributes.Fields.Count == 0)
        {
            return null;
        }
        // The message's own size comes first: it is cheap, and bounds what the JSON can be.
        var json = attributes.CalculateSize() <= 4 * MaxBytes ? ToJson(attributes, 1) : null;
        return json is not null && System.Text.Encoding.UTF8.GetByteCount(json.ToJsonString()) <= MaxBytes
            ? json
            : throw Fault.Invalid(Reasons.FieldTooLong, "attributes", $"attributes may have {MaxBytes} bytes as JSON");
    }

    public static Struct? ToStruct(JsonObject? attributes)
    {
        if (attributes is null)
        {
            return null;
        }
        var result = new Struct();
        foreach (var (key, value) in attributes)
        {
            result.Fields.Add(key, ToValue(value));
        }
        return result;
    }

    private static JsonObject ToJson(Struct fields, int depth)
    {
        if (depth > MaxDepth)
        {
            throw Fault.Invalid(Reasons.FieldInvalid, "attributes", $"attributes may be nested {MaxDepth} levels deep");
        }
        var json = new JsonObject();
        foreach (var (key, value) in fields.Fields)
        {
            json.Add(key, ToJson(value, depth));
        }
        return json;
    }

    private static JsonNode? ToJson(Value value, int depth) => value.KindCase switch
    {
        Value.KindOneofCase.StringValue => JsonValue.Create(value.StringValue),
        Value.KindOneofCase.BoolValue => JsonValue.Create(value.BoolValue),
        Value.KindOneofCase.NumberValue when double.IsFinite(value.NumberValue) => JsonValue.Create(value.NumberValue),
        Value.KindOneofCase.NumberValue => throw Fault.Invalid(Reasons.FieldInvalid, "attributes", "numbers in attributes must be finite"),
        Value.KindOneofCase.StructValue => ToJson(value.StructValue, depth + 1),
        Value.KindOneofCase.ListValue when depth < MaxDepth => new JsonArray([.. value.ListValue.Values.Select(item => ToJson(item, depth + 1))]),
        Value.KindOneofCase.ListValue => throw Fault.Invalid(Reasons.FieldInvalid, "attributes", $"attributes may be nested {MaxDepth} levels deep"),
        _ => null,
    };

    private static Value ToValue(JsonNode? node) => node switch
    {
        null => Value.ForNull(),
        JsonObject fields => Value.ForStruct(ToStruct(fields)!),
        JsonArray items => Value.ForList([.. items.Select(ToValue)]),
        JsonValue value when value.TryGetValue<bool>(out var flag) => Value.ForBool(flag),
        JsonValue value when value.TryGetValue<double>(out var number) => Value.ForNumber(number),
        JsonValue value when value.TryGetValue<long>(out var number) => Value.ForNumber(number),
        JsonValue value => Value.ForString(value.GetValue<string>()),
        _ => Value.ForNull(),
    };
}
