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

    /// <summary>Compares the query with every vector. Ignored by a store that is always exact.</summary>
    public bool Exact { get; init; }

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
