namespace Embeddings.Storage.Qdrant;

/// <summary>When a write counts as done.</summary>
internal enum AckLevel
{
    /// <summary>Once Qdrant has applied it: it is in the write-ahead log and in the next search.</summary>
    Durable,

    /// <summary>Once Qdrant has it in its write-ahead log; it is applied a moment later.</summary>
    Accepted,
}
