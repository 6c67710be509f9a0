using System.Runtime.CompilerServices;

namespace Embeddings.Testing;

/// <summary>A test that needs the real models and photos; skipped with the reason if they are absent.</summary>
public sealed class MaterialFactAttribute : FactAttribute
{
    public MaterialFactAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber) => Skip = Material.Missing;
}

/// <summary>A theory that needs the real models and photos; skipped with the reason if they are absent.</summary>
public sealed class MaterialTheoryAttribute : TheoryAttribute
{
    public MaterialTheoryAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber) => Skip = Material.Missing;
}

/// <summary>
/// A test that needs a program that this repository does not contain: an environment variable (<c>QDRANT_BINARY</c>,
/// <c>GRPCURL</c>, <c>GHZ</c>, <c>OTELCOL</c>) holds its path. Skipped with the reason if the variable is not set.
/// </summary>
public sealed class ToolFactAttribute : FactAttribute
{
    public ToolFactAttribute(string variable, [CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber) => Skip = Tool.Missing(variable);
}

/// <summary>A test that needs the default models; skipped with the reason if they are not prepared.</summary>
public sealed class TrainedModelsFactAttribute : FactAttribute
{
    public TrainedModelsFactAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber) => Skip = TrainedModels.Missing;

    /// <summary>True if the test also needs the real photos; it is skipped with the reason if they are absent.</summary>
    public bool NeedsMaterial
    {
        get;
        set
        {
            field = value;
            Skip ??= value ? Material.Missing : null;
        }
    }
}
