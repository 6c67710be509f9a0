namespace Embeddings.Core.Inference;

/// <summary>Whole images: the vector as the model gives it, or of L2 norm 1 where the manifest asks for that.</summary>
internal sealed class ImageEmbeddingModel(LoadedGraph graph) : EmbeddingModel(graph)
{
    /// <inheritdoc/>
    public override void Finish(Span<float> vector)
    {
        if (Manifest.UnitLength)
        {
            Normalize(vector);
        }
        else
        {
            Check(vector);
        }
    }
}
