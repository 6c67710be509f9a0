namespace Embeddings.Server.Hosting;

/// <summary>Where vectors are kept.</summary>
internal enum StoreKind
{
    /// <summary>In files on this machine, searched exactly in memory.</summary>
    Embedded,

    /// <summary>In a Qdrant cluster.</summary>
    Qdrant,
}
