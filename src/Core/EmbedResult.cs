using Embeddings.Core.Inference;

namespace Embeddings.Core;

/// <summary>An item's vector, and where its time went.</summary>
/// <param name="Model">The model that made it.</param>
/// <param name="Vector">The finished vector: finite, not zero; of length 1 where the model says so.</param>
/// <param name="BatchSize">Items in the run it came from.</param>
/// <param name="Queued">Waiting: for a place, and for its batch to run.</param>
/// <param name="Preprocessed">Decoding, aligning, resizing, laying out.</param>
/// <param name="Ran">The batch's run.</param>
internal sealed record EmbedResult(IEmbeddingModel Model, float[] Vector, int BatchSize, TimeSpan Queued, TimeSpan Preprocessed, TimeSpan Ran);
