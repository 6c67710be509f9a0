using System.Text.Json.Serialization;
using Embeddings.Core;
using Embeddings.Core.Models;

namespace Embeddings.Tooling.Models.Presets;

/// <summary>Preprocessing of a family of models, which the model files do not contain.</summary>
internal sealed record Preset
{
    /// <summary>Name for <c>--preset</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Kind of its models.</summary>
    [JsonConverter(typeof(WordConverter<ModelKind>))]
    public required ModelKind Kind { get; init; }

    /// <summary>Preprocessing at the usual size of the family. A fixed size of the graph takes precedence.</summary>
    public required InputSpec Input { get; init; }

    /// <summary>True if the vectors are normalized to L2 norm 1.</summary>
    public bool UnitLength { get; init; }

    /// <summary>True if the graph must normalize its input itself.</summary>
    public bool NormalisedInside { get; init; }

    /// <summary>Description for users.</summary>
    public required string Description { get; init; }

    /// <summary>Sources of the values, at least two that do not depend on each other.</summary>
    public required IReadOnlyList<string> Sources { get; init; }

    /// <summary>Largest batch, or null for the default of manifests.</summary>
    public int? MaxBatch { get; init; }

    /// <summary>
    /// How the outputs of a detector become boxes; null for other kinds. Without names of outputs if they are not the same in all
    /// files of the family.
    /// </summary>
    public DetectorSpec? Detector { get; init; }

    /// <summary>A published model of the family, or null if none is available as a single file of known content.</summary>
    public PresetDownload? Download { get; init; }
}

/// <summary>A published model file.</summary>
/// <param name="Url">URL of the file.</param>
/// <param name="Sha256">Expected SHA-256, 64 hexadecimal digits.</param>
/// <param name="Size">Size in bytes.</param>
/// <param name="Licence">Licence of the weights, if possible an SPDX identifier.</param>
/// <param name="LicenceText">Text to show.</param>
/// <param name="NonCommercial">
/// Whether the licence does not allow commercial use. Then it must be accepted explicitly.
/// </param>
internal sealed record PresetDownload(
    Uri Url, string Sha256, long Size, string Licence, string LicenceText, bool NonCommercial = false);
