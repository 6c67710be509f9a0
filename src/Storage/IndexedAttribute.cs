using Embeddings.Primitives;

namespace Embeddings.Storage;

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
    public const int MaxPerCollection = 16;

    public IndexedAttribute(IReadOnlyList<string> path, AttributeType type)
        : this(path as AttributePath ?? new AttributePath(path), type)
    {
    }

    /// <summary>Returns the attributes after a change, in the order of their paths.</summary>
    public static IReadOnlyList<IndexedAttribute> Change(
        IEnumerable<IndexedAttribute> existing, IEnumerable<IndexedAttribute> add, IEnumerable<IndexedAttribute> remove) =>
    [
        .. existing.Except(remove).Union(add)
            .OrderBy(static attribute => attribute.Path.ToJson(), StringComparer.Ordinal)
            .ThenBy(static attribute => attribute.Type),
    ];

    /// <summary>INVALID_ARGUMENT if there are more than <see cref="MaxPerCollection"/>.</summary>
    public static void RequireFew(IReadOnlyCollection<IndexedAttribute> attributes)
    {
        if (attributes.Count > MaxPerCollection)
        {
            throw Fault.Invalid(
                Reasons.FieldTooLong,
                "indexed_attributes",
                $"A collection must have at most {MaxPerCollection} indexed attributes; it would have {attributes.Count}. Remove others first.")
                .With(FaultKeys.Limit, MaxPerCollection)
                .With(FaultKeys.Actual, attributes.Count);
        }
    }

    public override string ToString() => $"{Path} ({Type.ToString().ToLowerInvariant()})";
}
