namespace Embeddings.Core.Batching;

/// <summary>What a run gave one item.</summary>
/// <param name="Vector">The model's raw vector, the item's own copy.</param>
/// <param name="BatchSize">Items in the run that it came from.</param>
/// <param name="Queued">From commit until that run began.</param>
/// <param name="Ran">How long the run took.</param>
internal readonly record struct BatchResult(float[] Vector, int BatchSize, TimeSpan Queued, TimeSpan Ran);
