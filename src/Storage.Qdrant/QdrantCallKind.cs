namespace Embeddings.Storage.Qdrant;

/// <summary>What a call does: decides how long it may take and how long it is tried again.</summary>
internal enum QdrantCallKind
{
    Read,
    Write,
    Manage,
}
