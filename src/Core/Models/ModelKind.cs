namespace Embeddings.Core.Models;

/// <summary>What a model embeds.</summary>
internal enum ModelKind
{
    /// <summary>Whole images; vectors as the model gives them.</summary>
    Image = 1,

    /// <summary>Face crops; vectors of L2 norm 1.</summary>
    Face = 2,
}
