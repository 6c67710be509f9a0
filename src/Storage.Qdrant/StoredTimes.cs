using System.Text.Json;
using System.Text.Json.Nodes;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// The times in attributes (<see cref="AttributeTimes"/>), stored a second time as milliseconds in the same structure. Qdrant's own times are
/// no help: what it reads as one depends on its version, and an index of times answers conditions on numbers, too.
/// </summary>
internal static class StoredTimes
{
    /// <summary>Returns the path of the time of an attribute in filters.</summary>
    public static string Path(AttributePath path) => AttributeKeys.Path(PayloadKeys.Times, path);

    /// <summary>Returns the times; null if there are none.</summary>
    public static Value? Of(JsonObject? attributes) => attributes is null ? null : Of(attributes, AttributePath.MaxNames);

    // Longer paths cannot be filtered by.
    private static Value? Of(JsonObject fields, int names)
    {
        Struct? times = null;
        foreach (var (name, node) in fields)
        {
            var value = node switch
            {
                JsonObject nested => names > 1 ? Of(nested, names - 1) : null,
                JsonValue text when text.GetValueKind() == JsonValueKind.String && AttributeTimes.Parse(text.GetValue<string>()) is { } time =>
                    time,
                _ => null,
            };
            if (value is not null)
            {
                (times ??= new()).Fields.Add(AttributeKeys.Encode(name), value);
            }
        }
        return times is null ? null : new() { StructValue = times };
    }
}
