using System.Text.Json;

namespace Embeddings.Storage;

/// <summary>Types of indexed attributes.</summary>
internal enum AttributeType
{
    Text,
    Number,
    Flag,

    /// <summary>Text with a time in RFC 3339.</summary>
    Time,
}

/// <summary>An attribute with an index.</summary>
/// <param name="Path">The names of the fields, from the outermost to the innermost: 1 to 8.</param>
/// <param name="Type">The type of the values in the index.</param>
internal sealed record IndexedAttribute(IReadOnlyList<string> Path, AttributeType Type)
{
    /// <summary>The maximum number of indexed attributes of a collection.</summary>
    public const int MaxPerCollection = 16;

    public bool Equals(IndexedAttribute? other) =>
        other is not null && Type == other.Type && Path.SequenceEqual(other.Path, StringComparer.Ordinal);

    public override int GetHashCode() => Path.Aggregate((int)Type, static (hash, name) => HashCode.Combine(hash, name));

    /// <summary>For messages: <c>camera.lens (text)</c>.</summary>
    public override string ToString() => $"{string.Join('.', Path)} ({Type.ToString().ToLowerInvariant()})";

    /// <summary>Reads a list from JSON; null or empty for none.</summary>
    public static IReadOnlyList<IndexedAttribute> Read(string? json) =>
        string.IsNullOrEmpty(json) ? Array.Empty<IndexedAttribute>() : JsonSerializer.Deserialize<IndexedAttribute[]>(json) ?? [];

    /// <summary>Returns a list after a change, sorted by paths.</summary>
    public static IReadOnlyList<IndexedAttribute> Change(
        IEnumerable<IndexedAttribute> existing, IEnumerable<IndexedAttribute> add, IEnumerable<IndexedAttribute> remove) =>
        existing.Except(remove).Union(add)
            .OrderBy(static attribute => string.Join('\0', attribute.Path), StringComparer.Ordinal)
            .ThenBy(static attribute => attribute.Type)
            .ToArray();
}
