using Embeddings.Core;
using Embeddings.Core.Models;
namespace Embeddings.Tooling.Models.Adding;

/// <summary>What a person says of a model file; what is null is found out, or taken from the preset.</summary>
internal sealed record AddRequest
{
    /// <summary>The <c>.onnx</c> file.</summary>
    public required string File { get; init; }

    /// <summary>The folder to put model and manifest into; made where it is not there.</summary>
    public required string Directory { get; init; }

    public string? Preset { get; init; }

    /// <summary>What requests will call it by; null for the file's name.</summary>
    public string? Name { get; init; }

    public ModelKind? Kind { get; init; }

    public ColorOrder? ColorOrder { get; init; }

    /// <summary>Three numbers on the scale 0 to 255.</summary>
    public IReadOnlyList<float>? Mean { get; init; }

    /// <summary>Three numbers on the scale 0 to 255.</summary>
    public IReadOnlyList<float>? Std { get; init; }

    public ResizeMode? Resize { get; init; }

    public int? ResizeTo { get; init; }

    public Interpolation? Interpolation { get; init; }

    /// <summary>Width and height, for graphs that take any size.</summary>
    public (int Width, int Height)? Size { get; init; }

    /// <summary>An output, or a tensor inside; of rank 4 it is pooled over height and width.</summary>
    public string? Output { get; init; }

    public int? MaxBatch { get; init; }

    public string? Licence { get; init; }

    public string? Description { get; init; }

    /// <summary>Whether a model of the name that is there already may be replaced.</summary>
    public bool Replace { get; init; }
}
