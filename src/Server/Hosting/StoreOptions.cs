using System.ComponentModel.DataAnnotations;

namespace Embeddings.Server.Hosting;

/// <summary>Choice of the store. Section <c>Store</c>; each kind has a section of its own in it.</summary>
internal sealed record StoreOptions
{
    /// <summary><c>Embedded</c> (files on this machine) or <c>Qdrant</c> (a cluster).</summary>
    /// <value>Default: <c>Embedded</c>.</value>
    [EnumDataType(typeof(StoreKind))]
    public StoreKind Kind { get; init; } = StoreKind.Embedded;
}

/// <summary>Kinds of stores.</summary>
internal enum StoreKind
{
    /// <summary>Files on this machine, searched exactly in memory.</summary>
    Embedded,

    /// <summary>A Qdrant cluster.</summary>
    Qdrant,
}
