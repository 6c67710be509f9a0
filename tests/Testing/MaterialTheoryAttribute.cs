namespace Embeddings.Testing;

/// <summary>A theory over real models or photographs; skipped, saying so, where they are absent.</summary>
public sealed class MaterialTheoryAttribute : TheoryAttribute
{
    public MaterialTheoryAttribute()
    {
        if (Material.Root is null)
        {
            Skip = "shared/material is not there";
        }
    }
}
