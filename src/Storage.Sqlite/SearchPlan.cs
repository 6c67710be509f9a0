using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage.Sqlite;

/// <summary>Several queries over one collection.</summary>
/// <param name="Index">The collection.</param>
/// <param name="Queries">Their vectors at unit length, one stride after the other.</param>
/// <param name="ExcludeIds">For each query, the point to leave out, or null.</param>
/// <param name="Limit">Hits for each.</param>
/// <param name="Threshold">The least score, or null.</param>
/// <param name="Rows">The rows to look at; null for all.</param>
internal sealed record SearchPlan(CollectionIndex Index, AlignedFloats Queries, string?[] ExcludeIds, int Limit, float? Threshold, long[]? Rows)
{
    public int QueryCount => ExcludeIds.Length;

    public TopK[] NewTops() => [.. ExcludeIds.Select(id => new TopK(Limit, Threshold, id))];
}
