using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Embeddings.Server.Grpc.Persons;

/// <summary>
/// The attributes of a face that name its person. Users can write these attributes, too, so any value is possible: a person
/// is a text that is not empty, and a history that cannot be read is none.
/// </summary>
internal static class PersonAttributes
{
    /// <summary>The name of the person.</summary>
    public const string Person = "person";

    /// <summary>The id of the last change.</summary>
    public const string Change = "person_change";

    /// <summary>
    /// The last changes, the oldest first, as JSON text: a list of objects with the id of the change (<c>change</c>) and the
    /// person before it (<c>person</c>, null for none).
    /// </summary>
    public const string History = "person_history";

    /// <summary>The overall quality of the face, 0 to 1.</summary>
    public const string Quality = "face_quality";

    /// <summary>The number of changes that a face keeps.</summary>
    public const int MaxHistory = 10;

    // Letters of all scripts are not escaped.
    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Returns the person of a face, or null.</summary>
    public static string? PersonOf(JsonObject? attributes) => Text(attributes, Person) is { Length: > 0 } person ? person : null;

    /// <summary>Returns the id of the last change, or null.</summary>
    public static string? ChangeOf(JsonObject? attributes) => Text(attributes, Change);

    /// <summary>Returns the quality of a face, 0 to 1; 1 if it is unknown.</summary>
    public static float QualityOf(JsonObject? attributes) =>
        attributes?[Quality] is JsonValue value && value.TryGetValue<double>(out var quality)
            ? (float)Math.Clamp(quality, 0, 1)
            : 1;

    /// <summary>Returns true if the face keeps a change, as the last one or an earlier one.</summary>
    public static bool Keeps(JsonObject? attributes, string change) => Read(attributes).Exists(entry => entry.Change == change);

    /// <summary>Returns the attributes with another person, or null if the face has this person already.</summary>
    /// <param name="attributes">The attributes of the face, which stay as they are.</param>
    /// <param name="person">The person, or null for none.</param>
    /// <param name="change">The id of the change.</param>
    public static JsonObject? Named(JsonObject? attributes, string? person, string change)
    {
        var before = PersonOf(attributes);
        if (before == person)
        {
            return null;
        }
        var history = Read(attributes);
        history.Add(new(change, before));
        return With(attributes, person, [.. history.TakeLast(MaxHistory)]);
    }

    /// <summary>
    /// Returns the attributes with the person before the last change, or null if that is another change or its history is not
    /// known.
    /// </summary>
    public static JsonObject? Undone(JsonObject? attributes, string change) =>
        ChangeOf(attributes) == change && Read(attributes) is [.. var earlier, var last] && last.Change == change
            ? With(attributes, last.Person, earlier)
            : null;

    /// <summary>
    /// Returns attributes of a face that is written again, with the person and the history of its earlier version unless they
    /// name a person.
    /// </summary>
    public static JsonObject? Carried(JsonObject? earlier, JsonObject? attributes)
    {
        string[] keys = [Person, Change, History];
        if (PersonOf(attributes) is not null || earlier is null || !keys.Any(earlier.ContainsKey))
        {
            return attributes;
        }
        var result = (JsonObject?)attributes?.DeepClone() ?? [];
        foreach (var key in keys)
        {
            result.Remove(key);
            if (earlier.TryGetPropertyValue(key, out var value))
            {
                result.Add(key, value?.DeepClone());
            }
        }
        return result;
    }

    private static string? Text(JsonObject? attributes, string key) =>
        attributes?[key] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private static List<PersonChange> Read(JsonObject? attributes)
    {
        if (Text(attributes, History) is not { Length: > 0 } text)
        {
            return [];
        }
        try
        {
            var entries = JsonSerializer.Deserialize<List<PersonChange?>>(text, Json) ?? [];
            return entries.TrueForAll(entry => entry?.Change is not null) ? [.. entries.OfType<PersonChange>()] : [];
        }
        catch (JsonException)
        {
            return [];
        }
    }

    private static JsonObject With(JsonObject? attributes, string? person, List<PersonChange> history)
    {
        var result = (JsonObject?)attributes?.DeepClone() ?? [];
        Set(Person, person);
        Set(Change, history is [.., var last] ? last.Change : null);
        Set(History, history.Count > 0 ? JsonSerializer.Serialize(history, Json) : null);
        return result;

        void Set(string key, string? value)
        {
            if (value is null)
            {
                result.Remove(key);
            }
            else
            {
                result[key] = value;
            }
        }
    }
}

/// <summary>A change of the person of a face.</summary>
/// <param name="Change">The id of the change.</param>
/// <param name="Person">The person before it, or null.</param>
internal sealed record PersonChange(
    [property: JsonPropertyName("change")] string Change, [property: JsonPropertyName("person")] string? Person);
