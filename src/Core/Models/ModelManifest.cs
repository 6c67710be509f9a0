namespace Embeddings.Core.Models;

/// <summary>What stands in the <c>.json</c> beside a model's <c>.onnx</c> file (docs/models.md).</summary>
internal sealed record ModelManifest
{
    /// <summary>Name that requests call it by: 1 to 64 of a-z, A-Z, 0-9, <c>_</c>, <c>-</c>, <c>.</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What it embeds.</summary>
    public required ModelKind Kind { get; init; }

    /// <summary>What it wants to see.</summary>
    public required InputSpec Input { get; init; }

    /// <summary>Numbers in its vectors, 1 to 65,536.</summary>
    public required int Dimension { get; init; }

    /// <summary>Whether its vectors are brought to L2 norm 1. Always true for faces. Default: false.</summary>
    public bool UnitLength { get; init; }

    /// <summary>The largest batch it runs, 1 to 1,024; which size up to it is the fastest, the queue finds out. Default: 32.</summary>
    public int MaxBatch { get; init; } = 32;

    /// <summary>Name of the output tensor; empty for the graph's only one. Default: empty.</summary>
    public string Output { get; init; } = "";

    /// <summary>Licence of the weights, an SPDX identifier where there is one. Default: empty.</summary>
    public string Licence { get; init; } = "";

    /// <summary>Where the weights come from, for example package, version and file. Default: empty.</summary>
    public string Origin { get; init; } = "";

    /// <summary>SHA-256 of the model file, 64 hex digits; a file of another content is refused.</summary>
    public required string Sha256 { get; init; }

    /// <summary>
    /// SHA-256 of the files beside the model that hold its weights, read one after another in ordinal order of their names; 64 hex digits, or empty where
    /// all weights are in the model file. Default: empty.
    /// </summary>
    public string DataSha256 { get; init; } = "";

    /// <summary>What it is, for a person; also what it is not. Default: empty.</summary>
    public string Description { get; init; } = "";

    /// <summary>Cosine from which two of its vectors are likely the same; null where not measured. Default: null.</summary>
    public float? SuggestedThreshold { get; init; }
}
