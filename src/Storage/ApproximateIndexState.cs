namespace Embeddings.Storage;

/// <summary>The state of an approximate index.</summary>
/// <param name="IndexedCount">The number of points in the graph; others are compared exactly.</param>
/// <param name="RecallAt10">
/// The share of the 10 nearest points that a search with default parameters finds, over a sample of the collection's own vectors; null
/// until it has been measured.
/// </param>
/// <param name="SampleSize">The number of queries of the sample.</param>
internal sealed record ApproximateIndexState(long IndexedCount, float? RecallAt10, int SampleSize);
