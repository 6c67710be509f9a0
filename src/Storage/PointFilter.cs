namespace Embeddings.Storage;

/// <summary>Which points: all conditions that are not null must hold.</summary>
internal sealed record PointFilter
{
    public static PointFilter All { get; } = new();

    public string? JobId { get; init; }

    public string? MediaStoreId { get; init; }

    public int? FaceIndex { get; init; }

    public NumericRange? Confidence { get; init; }

    public IReadOnlyList<AttributeCondition> Attributes { get; init; } = [];

    /// <summary>Whether every point matches.</summary>
    public bool IsEmpty => JobId is null && MediaStoreId is null && FaceIndex is null && Confidence is null && Attributes.Count == 0;
}
