namespace Embeddings.Core.Inference;

/// <summary>Face crops: always L2 norm 1 within 1e-6, so that cosine is a dot product.</summary>
internal sealed class FaceEmbeddingModel(LoadedGraph graph) : EmbeddingModel(graph)
{
    /// <inheritdoc/>
    public override void Finish(Span<float> vector) => Normalize(vector);
}
