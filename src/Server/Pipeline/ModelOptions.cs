namespace Embeddings.Server.Pipeline;

/// <summary>Which models there are. Section <c>Models</c>.</summary>
internal sealed record ModelOptions
{
    /// <summary>Whether the built-in models (<c>models</c> beside the program) are there too.</summary>
    /// <value>Default: true.</value>
    public bool BuiltIn { get; init; } = true;

    /// <summary>Further folders, in which every manifest (a <c>.json</c> with an <c>.onnx</c> beside it) is a model.</summary>
    /// <value>Default: none.</value>
    public IReadOnlyList<string> Directories { get; init; } = [];

    /// <summary>The image model for requests that name none; empty for the first image model by name, built-in ones last.</summary>
    /// <value>Default: empty.</value>
    public string DefaultImage { get; init; } = "";

    /// <summary>The face model for requests that name none; empty for the first face model by name, built-in ones last.</summary>
    /// <value>Default: empty.</value>
    public string DefaultFace { get; init; } = "";
}
