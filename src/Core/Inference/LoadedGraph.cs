using Embeddings.Core.Models;
namespace Embeddings.Core.Inference;

/// <summary>What loading found out about a model: all an <see cref="EmbeddingModel"/> is made of. The sessions become the model's own.</summary>
internal sealed record LoadedGraph(
    ModelManifest Manifest,
    ModelSignature Signature,
    TensorLayout Layout,
    int MaxBatch,
    IReadOnlyList<string> Notices,
    RuntimeSessions Sessions);
