using System.Text.Json;
using System.Text.Json.Nodes;

namespace Embeddings.Storage;

/// <summary>The field by which results are grouped.</summary>
internal enum GroupField
{
    MediaStoreId,
    JobId,
    Attribute,
}

/// <summary>
/// Groups of results: <see cref="SearchSpec.Limit"/> and <see cref="SearchSpec.Offset"/> count groups. Groups rank by their
/// best point.
/// </summary>
/// <param name="Field">The field.</param>
internal sealed record GroupSpec(GroupField Field)
{
    /// <summary>The names of the attribute, from the outermost field to the innermost.</summary>
    public IReadOnlyList<string> Path { get; init; } = [];

    /// <summary>True if only texts that are not empty form groups, as names of persons do.</summary>
    public bool NamesOnly { get; init; }

    /// <summary>The maximum number of points of a group, 1 to 100.</summary>
    public int Size { get; init; } = 1;

    /// <summary>Returns the key of a point's group; null if the point is a group of its own.</summary>
    public GroupKey? KeyOf(PointPayload payload) => Field switch
    {
        GroupField.MediaStoreId => KeyOf(payload.MediaStoreId),
        GroupField.JobId => KeyOf(payload.JobId),
        _ => KeyOf(payload.Attributes),
    };

    /// <summary>Returns the key of a text field.</summary>
    public static GroupKey? KeyOf(string text) => text.Length > 0 ? new GroupKey(text) : null;

    /// <summary>Returns the key of the attribute.</summary>
    public GroupKey? KeyOf(JsonObject? attributes)
    {
        JsonNode? node = attributes;
        foreach (var name in Path)
        {
            if (node is not JsonObject fields || !fields.TryGetPropertyValue(name, out node))
            {
                return null;
            }
        }
        if (node is not JsonValue value)
        {
            return null;
        }
        return value.GetValueKind() switch
        {
            JsonValueKind.String when value.GetValue<string>() is var text => NamesOnly ? KeyOf(text) : new GroupKey(text),
            // Zero of either sign is the same number.
            JsonValueKind.Number when !NamesOnly => new GroupKey(Number: NumberOf(value) + 0.0),
            JsonValueKind.True or JsonValueKind.False when !NamesOnly => new GroupKey(Flag: value.GetValue<bool>()),
            _ => null,
        };
    }

    private static double NumberOf(JsonValue value) =>
        value.TryGetValue<double>(out var number) ? number : value.Deserialize<double>();
}

/// <summary>The value that the points of a group have in common: exactly one of a text, a number, and a Boolean value.</summary>
internal readonly record struct GroupKey(string? Text = null, double? Number = null, bool? Flag = null);

/// <summary>Forms the groups of one query from points in the order of their rank.</summary>
/// <typeparam name="T">The type of the points.</typeparam>
/// <param name="spec">Offset, limit, and field.</param>
internal sealed class GroupBuilder<T>(SearchSpec spec)
{
    private readonly int _size = spec.GroupBy!.Size;
    private readonly List<PointGroup<T>> _groups = [];
    private readonly Dictionary<GroupKey, PointGroup<T>> _byKey = [];

    // Groups that are returned and have fewer points than they may.
    private int _open;

    /// <summary>True if as many groups as are needed have been found.</summary>
    public bool HasAllGroups => _groups.Count == spec.Offset + spec.Limit;

    /// <summary>True if no further point can change the result.</summary>
    public bool IsComplete => HasAllGroups && _open == 0;

    /// <summary>The groups that are returned, without those before the offset, best first.</summary>
    public IEnumerable<PointGroup<T>> Groups => _groups.Skip(spec.Offset);

    /// <summary>Adds the next point.</summary>
    /// <param name="key">The key of its group; null if it is a group of its own.</param>
    /// <param name="point">The point.</param>
    public void Add(GroupKey? key, T point)
    {
        PointGroup<T>? group = null;
        if (key is { } shared && _byKey.TryGetValue(shared, out group))
        {
            if (group.Points.Count < _size)
            {
                group.Points.Add(point);
                _open -= group.IsReturned && group.Points.Count == _size ? 1 : 0;
            }
            return;
        }
        if (HasAllGroups)
        {
            return;
        }
        group = new(key, _groups.Count >= spec.Offset) { Points = { point } };
        _groups.Add(group);
        if (key is { } own)
        {
            _byKey.Add(own, group);
            _open += group.IsReturned && _size > 1 ? 1 : 0;
        }
    }

    /// <summary>Returns true if a group may have further points.</summary>
    public bool IsOpen(PointGroup<T> group) => group.Key is not null && group.Points.Count < _size;
}

/// <summary>A group of points.</summary>
/// <param name="Key">The key; null for a point that is a group of its own.</param>
/// <param name="IsReturned">False for a group before the offset.</param>
internal sealed record PointGroup<T>(GroupKey? Key, bool IsReturned)
{
    /// <summary>Its points so far, best first.</summary>
    public List<T> Points { get; } = [];
}
