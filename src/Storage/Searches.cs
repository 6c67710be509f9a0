namespace Embeddings.Storage;

/// <summary>A query.</summary>
/// <param name="Vector">The vector, of any norm except zero.</param>
/// <param name="ExcludeId">The id of a point to exclude, such as the one whose vector this is, or null.</param>
internal sealed record VectorQuery(ReadOnlyMemory<float> Vector, string? ExcludeId = null);

/// <summary>Search parameters.</summary>
internal sealed record SearchSpec
{
    /// <summary>The maximum number of points per query, 1 to 1,000.</summary>
    public int Limit { get; init; } = 10;

    /// <summary>The minimum cosine similarity; null for no minimum.</summary>
    public float? ScoreThreshold { get; init; }

    public PointFilter Filter { get; init; } = PointFilter.All;

    public bool WithPayload { get; init; } = true;

    public bool WithVectors { get; init; }

    /// <summary>
    /// True: compares the query with every vector. False: uses an approximate index, if the store has one. Null: what the store
    /// does by default.
    /// </summary>
    public bool? Exact { get; init; }

    /// <summary>Size of the candidate list of an HNSW search; null for the store's default.</summary>
    public int? HnswEf { get; init; }

    /// <summary>Limits the response while it is made; null for no limit.</summary>
    public ResponseLease? Lease { get; init; }
}

/// <summary>A search result.</summary>
/// <param name="Score">Cosine similarity to the query, -1 to 1.</param>
/// <param name="Point">
/// The point: its vector is empty and its payload is <see cref="PointPayload.Empty"/> unless they were requested.
/// </param>
internal sealed record ScoredStoredPoint(float Score, StoredPoint Point);

/// <summary>A filter on points. All conditions that are not null must hold.</summary>
internal sealed record PointFilter
{
    public static PointFilter All { get; } = new();

    public string? JobId { get; init; }

    public string? MediaStoreId { get; init; }

    public int? FaceIndex { get; init; }

    public NumericRange? Confidence { get; init; }

    public IReadOnlyList<AttributeCondition> Attributes { get; init; } = [];

    /// <summary>True: the point is on legal hold. False: it is not.</summary>
    public bool? OnHold { get; init; }

    /// <summary>Returns true if every point matches.</summary>
    public bool IsEmpty =>
        JobId is null && MediaStoreId is null && FaceIndex is null && Confidence is null && Attributes.Count == 0
        && OnHold is null;
}

/// <summary>
/// A condition on one top-level field of the user's attributes: exactly one of the five values is not null. Types are
/// strict, and an absent field only matches <see cref="Exists"/> set to false.
/// </summary>
/// <param name="Key">The name of the field.</param>
/// <param name="Text">The text that the field equals.</param>
/// <param name="Number">The number that the field equals.</param>
/// <param name="Flag">The Boolean value that the field equals.</param>
/// <param name="Range">The range of the field, a number.</param>
/// <param name="Exists">True: the field is present and not null, but may be empty. False: it is absent or null.</param>
internal sealed record AttributeCondition(
    string Key, string? Text = null, double? Number = null, bool? Flag = null, NumericRange? Range = null, bool? Exists = null);

/// <summary>A numeric range. All bounds that are not null must hold; at least one is not null.</summary>
internal sealed record NumericRange(double? Gt, double? Gte, double? Lt, double? Lte);
