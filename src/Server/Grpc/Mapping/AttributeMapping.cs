using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>Converts the attributes of a payload: google.protobuf.Struct to JSON and back.</summary>
internal static class AttributeMapping
{
    private const int MaxDepth = 32;
    private const int MaxBytes = 64 * 1024;

    public static JsonObject? ToJson(Struct? attributes)
    {
        if (attributes is null || attributes.Fields.Count == 0)
        {
            return null;
        }
        // The size of the message is checked first: it is cheap to compute, and bounds the size of the JSON.
        var size = attributes.CalculateSize();
        if (size > 4 * MaxBytes)
        {
            throw TooLarge(size);
        }
        var json = ToJson(attributes, 1);
        var bytes = System.Text.Encoding.UTF8.GetByteCount(json.ToJsonString());
        return bytes <= MaxBytes ? json : throw TooLarge(bytes);
    }

    /// <summary>Fault if the attributes of a point are too large after a change.</summary>
    public static void RequireSize(JsonObject attributes, string pointId)
    {
        var bytes = System.Text.Encoding.UTF8.GetByteCount(attributes.ToJsonString());
        if (bytes > MaxBytes)
        {
            throw Fault.Invalid(
                Reasons.FieldTooLong,
                "attributes",
                $"attributes of point '{pointId}' must be at most {MaxBytes} bytes as JSON after the change; got {bytes}. Remove other "
                + "fields (remove_keys), or store larger data elsewhere.")
                .With(FaultKeys.Point, pointId)
                .With(FaultKeys.Limit, MaxBytes)
                .With(FaultKeys.Actual, bytes);
        }
    }

    /// <summary>
    /// Returns the fault for attributes that are nested too deeply, or so deeply that the message cannot be parsed.
    /// </summary>
    public static Fault TooDeep() =>
        Fault.Invalid(
            Reasons.FieldInvalid,
            "attributes",
            $"attributes must be nested at most {MaxDepth} levels deep; got {MaxDepth + 1} or more. Flatten them.")
            .With(FaultKeys.Limit, MaxDepth)
            .With(FaultKeys.Actual, MaxDepth + 1);

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
            throw TooDeep();
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
        Value.KindOneofCase.NumberValue => throw Fault.Invalid(
            Reasons.FieldInvalid, "attributes", $"attributes must contain finite numbers; got {value.NumberValue}."),
        Value.KindOneofCase.StructValue => ToJson(value.StructValue, depth + 1),
        Value.KindOneofCase.ListValue when depth < MaxDepth =>
            new JsonArray([.. value.ListValue.Values.Select(item => ToJson(item, depth + 1))]),
        Value.KindOneofCase.ListValue => throw TooDeep(),
        _ => null,
    };

    private static Fault TooLarge(int bytes) =>
        Fault.Invalid(
            Reasons.FieldTooLong,
            "attributes",
            $"attributes must be at most {MaxBytes} bytes as JSON; got {bytes}. Store larger data elsewhere.")
            .With(FaultKeys.Limit, MaxBytes)
            .With(FaultKeys.Actual, bytes);

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
