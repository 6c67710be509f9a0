namespace Embeddings.Testing;

/// <summary>A test of the default models; skipped, saying so, if they are not prepared.</summary>
public sealed class TrainedModelsFactAttribute : FactAttribute
{
    public TrainedModelsFactAttribute() => Skip = TrainedModels.Missing;

    /// <summary>Whether it needs the real photographs, too.</summary>
    public bool NeedsMaterial
    {
        get;
        set
        {
            field = value;
            Skip ??= value && Material.Root is null ? "shared/material is not there" : null;
        }
    }
}
