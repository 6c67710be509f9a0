using System.ComponentModel.DataAnnotations;

namespace Embeddings.Core.Models;

/// <summary>Which models there are. Section <c>Models</c>.</summary>
internal sealed record ModelOptions
{
    /// <summary>Whether the default models (the folder <c>models</c> of the program) are served. The server does not start if they are missing.</summary>
    /// <value>Default: true.</value>
    public bool UseDefaults { get; init; } = true;

    /// <summary>Further folders, in which every manifest (a <c>.json</c> with an <c>.onnx</c> beside it) is a model.</summary>
    /// <value>Default: none.</value>
    public IReadOnlyList<string> Directories { get; init; } = [];

    /// <summary>The image model for requests that name none; empty for the first image model by name, the default ones last.</summary>
    /// <value>Default: empty.</value>
    public string DefaultImage { get; init; } = "";

    /// <summary>The face model for requests that name none; empty for the first face model by name, the default ones last.</summary>
    /// <value>Default: empty.</value>
    public string DefaultFace { get; init; } = "";

    /// <summary>
    /// Whether models are loaded with the first request for them instead of at start; the default ones are always loaded at start. Saves memory with many
    /// models, and leaves it to that request to find out that one cannot be used.
    /// </summary>
    /// <value>Default: false.</value>
    public bool Lazy { get; init; }

    /// <summary>How long a model may be idle before it leaves memory; the next request loads it again. Zero for never.</summary>
    /// <value>Default: 0. From 0 to 30 days.</value>
    [Range(typeof(TimeSpan), "00:00:00", "30.00:00:00")]
    public TimeSpan IdleUnload { get; init; } = TimeSpan.Zero;

    /// <summary>
    /// Bytes that the files of all models in memory may have together, each counted once for every copy of the weights it has. The one that has been idle
    /// longest makes room; where all are in use, requests for another are UNAVAILABLE. 0 for no limit.
    /// </summary>
    /// <value>Default: 0. From 0 to 1,099,511,627,776.</value>
    [Range(0, 1L << 40)]
    public long MaxLoadedBytes { get; init; }

    /// <summary>Whether a model whose files change is loaded anew. Calls on their way end on the old one; one that cannot be used changes nothing.</summary>
    /// <value>Default: true.</value>
    public bool Reload { get; init; } = true;

    /// <summary>How often files and idle times are looked at.</summary>
    /// <value>Default: 5 seconds. From 10 milliseconds to 1 hour.</value>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan CheckEvery { get; init; } = TimeSpan.FromSeconds(5);
}
