using System.ComponentModel.DataAnnotations;

namespace Embeddings.Storage.Qdrant;

/// <summary>How collections are made; those that exist stay as they are. Section <c>Store:Qdrant:NewCollections</c>.</summary>
internal sealed record QdrantCollectionOptions
{
    /// <summary>Shards of a collection: a small multiple of the number of nodes it shall ever have.</summary>
    /// <value>Default: 1. From 1 to 1,000.</value>
    [Range(1, 1000)]
    public int Shards { get; init; } = 1;

    /// <summary>Copies of each shard; 2 or more survive the loss of a node.</summary>
    /// <value>Default: 1. From 1 to 100.</value>
    [Range(1, 100)]
    public int Replicas { get; init; } = 1;

    /// <summary>Copies that must have a write before it is acknowledged.</summary>
    /// <value>Default: 1. From 1 to 100, at most <see cref="Replicas"/>.</value>
    [Range(1, 100)]
    public int WriteConsistency { get; init; } = 1;

    /// <summary>Whether vectors lie in memory-mapped files instead of in memory.</summary>
    /// <value>Default: false.</value>
    public bool OnDiskVectors { get; init; }

    /// <summary>Whether payloads lie on disk instead of in memory.</summary>
    /// <value>Default: true.</value>
    public bool OnDiskPayload { get; init; } = true;

    /// <summary>Links of each point in the HNSW graph; 0 for none, which makes every search exact.</summary>
    /// <value>Default: 16. From 0 to 512.</value>
    [Range(0, 512)]
    public int HnswM { get; init; } = 16;

    /// <summary>Candidates considered while the graph is built.</summary>
    /// <value>Default: 100. From 4 to 10,000.</value>
    [Range(4, 10_000)]
    public int HnswEfConstruct { get; init; } = 100;

    /// <summary>
    /// Whether vectors are kept in memory as int8, a quarter of the size, besides the originals; what the search finds with them is scored again with the
    /// originals.
    /// </summary>
    /// <value>Default: false.</value>
    public bool QuantizeInt8 { get; init; }
}
