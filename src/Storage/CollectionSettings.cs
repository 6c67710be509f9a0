namespace Embeddings.Storage;

/// <summary>Settings of an approximate index.</summary>
/// <param name="Links">The number of links per point, 4 to 64.</param>
/// <param name="BuildCandidates">The number of candidates while the graph is built, 16 to 1,000.</param>
internal sealed record ApproximateIndexSettings(int Links, int BuildCandidates);
