using Embeddings.Core.Faces;
using Embeddings.Core.Imaging;
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
    private readonly FaceFinder _finder;
    private readonly FaceEmbedder _faces;

    internal Embedder(ModelCatalog models, EmbeddingPipeline pipeline, FaceFinder finder, FaceEmbedder faces)
    {
        _models = models;
        _pipeline = pipeline;
        _finder = finder;
        _faces = faces;
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

    /// <summary>
    /// Finds the faces of a photo. The crops have the input size of the default face model, or 112 x 112 pixels without one.
    /// Waits while the memory for photos is in use.
    /// </summary>
    /// <param name="photo">An encoded file or eight-bit pixels. Its memory must not change before the task completes.</param>
    /// <param name="search">Which faces to find; null for the defaults.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    /// <exception cref="Fault">The photo or the search is not valid, or a model is not available.</exception>
    public Task<PhotoFaces> FindFacesAsync(
        ImageInput photo, FaceSearch? search = null, CancellationToken cancellationToken = default)
    {
        var model = _models.DefaultOf(ModelKind.Face);
        return _finder.FindAsync(photo, search ?? new(), CropOf(model), wait: true, "photo", cancellationToken);
    }

    /// <summary>Finds the faces of a photo and embeds each.</summary>
    /// <param name="photo">An encoded file or eight-bit pixels. Its memory must not change before the task completes.</param>
    /// <param name="search">Which faces to find; null for the defaults.</param>
    /// <param name="model">Name of a face model; empty for the default one.</param>
    /// <param name="cancellationToken">Ends the search, and drops faces that have not run yet.</param>
    /// <returns>The faces, and the embedding of each in the same order.</returns>
    /// <exception cref="Fault">
    /// The photo, the search or the model's name is not valid, or a model is not available.
    /// </exception>
    public async Task<(PhotoFaces Photo, IReadOnlyList<EmbedResult> Embeddings)> EmbedFacesAsync(
        ImageInput photo, FaceSearch? search = null, string model = "", CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        var request = new PhotoRequest(photo, search ?? new(), model, Wait: true, "photo");
        var embedded = await _faces.EmbedAsync(request, cancellationToken);
        return (embedded.Photo, embedded.Embeddings);
    }

    private static (int Width, int Height) CropOf(ServedModel? model) => model is null
        ? (FaceAligner.TemplateSide, FaceAligner.TemplateSide)
        : (model.Manifest.Input.Width, model.Manifest.Input.Height);
}
