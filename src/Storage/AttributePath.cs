using System.Collections;
using System.Text.Json;

namespace Embeddings.Storage;

/// <summary>
/// Names of nested fields of the user's attributes, from the outermost to the innermost. Names may contain any characters, also
/// dots. A path leads through objects only, never through lists.
/// </summary>
internal sealed class AttributePath : IReadOnlyList<string>, IEquatable<AttributePath>
{
    /// <summary>The maximum number of names.</summary>
    public const int MaxNames = 8;

    /// <summary>The maximum size of a name, bytes of UTF-8.</summary>
    public const int MaxNameBytes = 128;

    public AttributePath(IReadOnlyList<string> names)
    {
        ArgumentOutOfRangeException.ThrowIfZero(names.Count);
        Names = names;
    }

    public IReadOnlyList<string> Names { get; }

    public int Count => Names.Count;

    public string this[int index] => Names[index];

    /// <summary>A top-level field.</summary>
    public static implicit operator AttributePath(string name) => new([name]);

    /// <summary>Parses the result of <see cref="ToJson"/>.</summary>
    public static AttributePath FromJson(string json) => new(JsonSerializer.Deserialize<string[]>(json)!);

    /// <summary>Returns the names as a list in JSON, the form in which stores keep paths.</summary>
    public string ToJson() => JsonSerializer.Serialize(Names);

    public IEnumerator<string> GetEnumerator() => Names.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public bool Equals(AttributePath? other) => other is not null && Names.SequenceEqual(other.Names, StringComparer.Ordinal);

    public override bool Equals(object? obj) => Equals(obj as AttributePath);

    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(Names[^1]) ^ Names.Count;

    /// <summary>Returns the path for messages: <c>camera.lens</c>; names with other characters than letters and digits are quoted.</summary>
    public override string ToString() => string.Join(
        '.', Names.Select(name => name.Length > 0 && name.All(c => char.IsLetterOrDigit(c) || c is '_' or '-') ? name : $"\"{name}\""));
}
