using System.Text.Json;
using System.Text.Json.Nodes;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Finds texts that Qdrant may read as times, but that are none (<see cref="AttributeTimes"/>): Qdrant also accepts, depending on its version, dates
/// alone, times without offset, spaces, and leap seconds. Their paths are stored with the point, so that filters by time exclude them.
/// </summary>
internal static class NoTimes
{
    /// <summary>Returns the paths of such texts as JSON, in order.</summary>
    public static IReadOnlyList<string> Of(JsonObject? attributes)
    {
        if (attributes is null)
        {
            return [];
        }
        var found = new List<string>();
        Find(attributes, [], found);
        return found;
    }

    private static void Find(JsonObject fields, List<string> names, List<string> found)
    {
        foreach (var (name, node) in fields)
        {
            names.Add(name);
            if (node is JsonObject nested)
            {
                // Longer paths cannot be filtered by.
                if (names.Count < AttributePath.MaxNames)
                {
                    Find(nested, names, found);
                }
            }
            else if (node?.GetValueKind() == JsonValueKind.String && IsDoubtful(node.GetValue<string>()))
            {
                found.Add(new AttributePath(names).ToJson());
            }
            names.RemoveAt(names.Count - 1);
        }
    }

    // All formats of times begin with a year, after optional spaces and an optional sign, and have hyphens.
    private static bool IsDoubtful(string text)
    {
        var rest = text.AsSpan().TrimStart();
        return rest.Length > 0
            && (rest[0] is '+' or '-' || char.IsAsciiDigit(rest[0]))
            && rest.Contains('-')
            && AttributeTimes.Parse(text) is null;
    }
}
