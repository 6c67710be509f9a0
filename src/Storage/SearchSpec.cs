namespace Embeddings.Storage;

/// <summary>How to search.</summary>
internal sealed record SearchSpec
{
    /// <summary>Points for each query, 1 to 1,000.</summary>
    public int Limit { get; init; } = 10;

    /// <summary>Only points of this cosine or more; null for all.</summary>
    public float? ScoreThreshold { get; init; }

    public PointFilter Filter { get; init; } = PointFilter.All;

    public bool WithPayload { get; init; } = true;

    public bool WithVectors { get; init; }

    /// <summary>Compare with every vector. A store that is always exact passes it over.</summary>
    public bool Exact { get; init; }

    /// <summary>Size of the candidate list of an HNSW search; null for the store's own.</summary>
    public int? HnswEf { get; init; }
}
