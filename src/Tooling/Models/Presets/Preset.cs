using System.Text.Json.Serialization;
using Embeddings.Core;
using Embeddings.Core.Models;

namespace Embeddings.Tooling.Models.Presets;

/// <summary>How a family of models wants its pictures: what no model file tells.</summary>
internal sealed record Preset
{
    /// <summary>What <c>--preset</c> calls it by.</summary>
    public required string Name { get; init; }

    /// <summary>What its models embed.</summary>
    [JsonConverter(typeof(WordConverter<ModelKind>))]
    public required ModelKind Kind { get; init; }

    /// <summary>Preprocessing at the family's usual size; a graph of a fixed other size goes before.</summary>
    public required InputSpec Input { get; init; }

    /// <summary>Whether the vectors are brought to L2 norm 1.</summary>
    public bool UnitLength { get; init; }

    /// <summary>Whether the graph must begin with its own normalisation.</summary>
    public bool NormalisedInside { get; init; }

    /// <summary>What it is for, for a person.</summary>
    public required string Description { get; init; }

    /// <summary>Where the numbers come from.</summary>
    public required string Source { get; init; }

    /// <summary>Where a model of the family is published; null where none can be fetched as a single file of known content.</summary>
    public PresetDownload? Download { get; init; }
}
