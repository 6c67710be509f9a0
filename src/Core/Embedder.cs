using Embeddings.Core.Models;
using Embeddings.Primitives;

namespace Embeddings.Core;

/// <summary>
/// Embeds images in process. Thread-safe: concurrent calls share batches. Registered by <c>AddEmbeddingCore</c>; resolving it
/// loads the models.
/// </summary>
public sealed class Embedder
{
    private readonly ModelCatalog _models;
    private readonly EmbeddingPipeline _pipeline;

    internal Embedder(ModelCatalog models, EmbeddingPipeline pipeline)
    {
        _models = models;
        _pipeline = pipeline;
    }

    /// <summary>All models, in ordinal order of their names.</summary>
    public IReadOnlyList<ModelInfo> Models => [.. _models.All.Select(model => model.Info)];

    /// <summary>Embeds an image. Waits while the model's queue is full.</summary>
    /// <param name="kind">Kind of the item: a whole image or a face crop.</param>
    /// <param name="image">The image. Its memory must not change before the task completes.</param>
    /// <param name="model">Name of a model of that kind; empty for the default one.</param>
    /// <param name="cancellationToken">Drops the item if it has not run yet.</param>
    /// <exception cref="Fault">The image or the model's name is not valid, or the model is not available.</exception>
    public Task<EmbedResult> EmbedAsync(
        ModelKind kind, ImageInput image, string model = "", CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (kind is not (ModelKind.Image or ModelKind.Face))
        {
            throw new ArgumentOutOfRangeException(nameof(kind), kind, "The kind must be Image or Face.");
        }
        return _pipeline.EmbedAsync(new(kind, model, image, Wait: true), cancellationToken);
    }
}
