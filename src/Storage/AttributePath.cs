using System.Text.Json;
using Embeddings.Primitives;

namespace Embeddings.Storage;

/// <summary>
/// Names of nested fields of the user's attributes, from the outermost to the innermost. Names may contain any characters, also
/// dots. A path leads through objects only, never through lists.
/// </summary>
internal sealed class AttributePath : IEquatable<AttributePath>
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

    /// <summary>A top-level field.</summary>
    public static implicit operator AttributePath(string name) => new([name]);

    /// <summary>Parses the result of <see cref="ToJson"/>.</summary>
    public static AttributePath FromJson(string json) => new(JsonSerializer.Deserialize<string[]>(json)!);

    /// <summary>Returns the names as a list in JSON, the form in which stores keep paths.</summary>
    public string ToJson() => JsonSerializer.Serialize(Names);

    public bool Equals(AttributePath? other) => other is not null && Names.SequenceEqual(other.Names, StringComparer.Ordinal);

    public override bool Equals(object? obj) => Equals(obj as AttributePath);

    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(Names[^1]) ^ Names.Count;

    /// <summary>Returns the path for messages: <c>camera.lens</c>; names with other characters than letters and digits are quoted.</summary>
    public override string ToString() => string.Join(
        '.', Names.Select(name => name.Length > 0 && name.All(c => char.IsLetterOrDigit(c) || c is '_' or '-') ? name : $"\"{name}\""));
}

/// <summary>The type of an indexed attribute. Values of other types are stored, and found without the index.</summary>
internal enum AttributeType
{
    /// <summary>Text, for <see cref="AttributeCondition.Text"/>, <see cref="AttributeCondition.TextIn"/> and <see cref="AttributeCondition.Prefix"/>.</summary>
    Text = 1,

    /// <summary>
    /// Number, for <see cref="AttributeCondition.Number"/>, <see cref="AttributeCondition.NumberIn"/> and <see cref="AttributeCondition.Range"/>.
    /// </summary>
    Number = 2,

    /// <summary>Boolean value, for <see cref="AttributeCondition.Flag"/>.</summary>
    Flag = 3,

    /// <summary>Text with a time, for <see cref="AttributeCondition.Time"/>.</summary>
    Time = 4,
}

/// <summary>An attribute with an index.</summary>
internal sealed record IndexedAttribute(AttributePath Path, AttributeType Type)
{
    /// <summary>The maximum number per collection.</summary>
    public const int Maximum = 16;

    /// <summary>
    /// Returns the attributes after a change, in the order of their paths. INVALID_ARGUMENT if there are more than <see cref="Maximum"/>.
    /// </summary>
    public static IReadOnlyList<IndexedAttribute> Change(
        IEnumerable<IndexedAttribute> existing, IEnumerable<IndexedAttribute> add, IEnumerable<IndexedAttribute> remove)
    {
        IndexedAttribute[] changed =
        [
            .. existing.Except(remove).Union(add).OrderBy(static attribute => attribute.Path.ToJson(), StringComparer.Ordinal)
                .ThenBy(static attribute => attribute.Type),
        ];
        return changed.Length <= Maximum
            ? changed
            : throw Fault.Invalid(
                Reasons.FieldTooLong,
                "indexed_attributes",
                $"A collection must have at most {Maximum} indexed attributes; it would have {changed.Length}. Remove others first.")
                .With(FaultKeys.Limit, Maximum)
                .With(FaultKeys.Actual, changed.Length);
    }

    public override string ToString() => $"{Path} ({Type.ToString().ToLowerInvariant()})";
}
