using Embeddings.Core;
using Embeddings.Core.Models;

namespace Embeddings.Tooling.Models.Adding;

/// <summary>A model file to add. Values that are null are detected or taken from the preset.</summary>
internal sealed record AddRequest
{
    /// <summary>The <c>.onnx</c> file.</summary>
    public required string File { get; init; }

    /// <summary>Directory for the model and its manifest. It is created if it does not exist.</summary>
    public required string Directory { get; init; }

    public string? Preset { get; init; }

    /// <summary>Name in requests; null for the name of the file.</summary>
    public string? Name { get; init; }

    public ModelKind? Kind { get; init; }

    public ColorOrder? ColorOrder { get; init; }

    /// <summary>Three values on the scale 0 to 255, or one for a gray input.</summary>
    public IReadOnlyList<float>? Mean { get; init; }

    /// <summary>Three values on the scale 0 to 255, or one for a gray input.</summary>
    public IReadOnlyList<float>? Std { get; init; }

    public ResizeMode? Resize { get; init; }

    public int? ResizeTo { get; init; }

    public Interpolation? Interpolation { get; init; }

    public DecodeMode? Decode { get; init; }

    /// <summary>Width and height, for graphs that accept any size.</summary>
    public (int Width, int Height)? Size { get; init; }

    /// <summary>Name of an output or of an inner tensor. A tensor of rank 4 is averaged over height and width.</summary>
    public string? Output { get; init; }

    public int? MaxBatch { get; init; }

    public string? Licence { get; init; }

    public string? Description { get; init; }

    /// <summary>True to ignore configuration files next to the model (<see cref="ModelConfig"/>).</summary>
    public bool IgnoreConfig { get; init; }

    /// <summary>True to replace an existing model of the same name.</summary>
    public bool Replace { get; init; }
}

/// <summary>A model that was added.</summary>
/// <param name="File">Its <c>.onnx</c> file in the target directory.</param>
/// <param name="Manifest">Its manifest.</param>
/// <param name="Fingerprint">Fingerprint that collections store.</param>
/// <param name="MaxBatch">Largest batch that gives reliable vectors on this machine.</param>
/// <param name="Facts">Properties of its graph.</param>
/// <param name="Notices">Notices for the operator.</param>
internal sealed record AddedModel(
    string File,
    ModelManifest Manifest,
    string Fingerprint,
    int MaxBatch,
    IReadOnlyList<string> Facts,
    IReadOnlyList<string> Notices);
