namespace Embeddings.Testing;

/// <summary>A test over real models or photographs; skipped, saying so, where they are absent.</summary>
public sealed class MaterialFactAttribute : FactAttribute
{
    public MaterialFactAttribute()
    {
        if (Material.Root is null)
        {
            Skip = "shared/material is not there";
        }
    }
}
