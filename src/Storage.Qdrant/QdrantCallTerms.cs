namespace Embeddings.Storage.Qdrant;

/// <summary>How long a call may be tried again.</summary>
/// <param name="Began">Timestamp of its first try.</param>
/// <param name="RetryFor">Time after which no try begins.</param>
/// <param name="IsAbandoned">Returns true once no caller waits for the answer; null if the caller's token alone decides.</param>
internal sealed record QdrantCallTerms(long Began, TimeSpan RetryFor, Func<bool>? IsAbandoned);
