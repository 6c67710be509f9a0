namespace Embeddings.Storage;

/// <summary>A query.</summary>
/// <param name="Vector">The vector, of any norm except zero.</param>
/// <param name="Excluded">The ids of points to exclude, such as the one whose vector this is, or null.</param>
internal sealed record VectorQuery(ReadOnlyMemory<float> Vector, IReadOnlySet<string>? Excluded = null)
{
    /// <summary>A query that excludes one point.</summary>
    public VectorQuery(ReadOnlyMemory<float> vector, string excludeId)
        : this(vector, new HashSet<string>(StringComparer.Ordinal) { excludeId })
    {
    }
}

/// <summary>Search parameters.</summary>
internal sealed record SearchSpec
{
    /// <summary>The maximum number of points, or groups, per query, 1 to 1,000.</summary>
    public int Limit { get; init; } = 10;

    /// <summary>The number of best points, or groups, to skip, 0 to 10,000.</summary>
    public int Offset { get; init; }

    /// <summary>Groups the points; null if they are not grouped.</summary>
    public GroupSpec? GroupBy { get; init; }

    /// <summary>The minimum score, compared with rounded scores; null for no minimum.</summary>
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
