using Embeddings.Core.Models;
using Embeddings.Primitives;

namespace Embeddings.Core.Faces;

/// <summary>A photo whose faces are to be found and embedded.</summary>
/// <param name="Photo">The photo.</param>
/// <param name="Search">Which faces to find.</param>
/// <param name="Model">Name of the face model; empty for the default one.</param>
/// <param name="Wait">True to wait while the server is busy (streams), false to fail at once (unary calls).</param>
/// <param name="Path">Path of the photo in the caller's message, for faults that name a field of it.</param>
internal readonly record struct PhotoRequest(ImageInput Photo, FaceSearch Search, string Model, bool Wait, string Path);

/// <summary>The faces of a photo with their vectors.</summary>
/// <param name="Photo">The photo; its faces are those that have a vector.</param>
/// <param name="Embeddings">The vector of each face, in the same order.</param>
/// <param name="Model">The face model.</param>
internal sealed record EmbeddedPhoto(PhotoFaces Photo, IReadOnlyList<EmbedResult> Embeddings, ModelInfo Model);

/// <summary>Finds the faces of photos and embeds them: the finder, then the pipeline of the face model. Thread-safe.</summary>
internal sealed class FaceEmbedder(FaceFinder finder, EmbeddingPipeline pipeline, ModelCatalog models)
{
    /// <summary>Finds the faces of a photo and embeds them.</summary>
    public async Task<EmbeddedPhoto> EmbedAsync(PhotoRequest request, CancellationToken cancellationToken) =>
        await await StartAsync(request, cancellationToken);

    /// <summary>
    /// Starts to find and embed the faces of a photo. Completes when the photo is admitted, so that a stream which awaits it
    /// reads no further while the memory for photos is in use. Errors are those of the inner task.
    /// </summary>
    public async ValueTask<Task<EmbeddedPhoto>> StartAsync(PhotoRequest request, CancellationToken cancellationToken)
    {
        ServedModel model;
        try
        {
            model = models.Get(request.Model, ModelKind.Face);
        }
        catch (Fault fault)
        {
            return Task.FromException<EmbeddedPhoto>(fault);
        }
        var input = model.Manifest.Input;
        var size = (input.Width, input.Height);
        var finding = await finder.StartAsync(
            request.Photo, request.Search, size, request.Wait, request.Path, cancellationToken);
        return EmbedAsync(finding, model, size, cancellationToken);
    }

    private async Task<EmbeddedPhoto> EmbedAsync(
        Task<PhotoFaces> finding, ServedModel model, (int Width, int Height) size, CancellationToken cancellationToken)
    {
        var photo = await finding;

        // All at once, so that they share batches. They wait for places: the photo has been admitted.
        var pending = new List<PendingEmbedding>(photo.Faces.Count);
        foreach (var face in photo.Faces)
        {
            var image = new ImageInput(face.Crop, PixelFormat.Rgb8, size.Width, size.Height);
            pending.Add(await pipeline.EnqueueAsync(new(ModelKind.Face, model.Name, image, Wait: true), cancellationToken));
        }
        var faces = new List<FoundFace>(photo.Faces.Count);
        var embeddings = new List<EmbedResult>(photo.Faces.Count);
        var leftOut = new List<LeftOutFace>();
        for (var i = 0; i < pending.Count; i++)
        {
            var face = photo.Faces[i];
            try
            {
                embeddings.Add(await pending[i]);
                faces.Add(face);
            }
            catch (Fault fault) when (fault.Reason is Reasons.VectorZero or Reasons.VectorNotFinite)
            {
                leftOut.Add(new(face.Box, face.Confidence, LeftOutReason.NoVector, fault.Message));
            }
        }
        if (leftOut.Count > 0)
        {
            photo = photo with
            {
                Faces = faces,
                LeftOut = [.. photo.LeftOut.Concat(leftOut).OrderByDescending(face => face.Box.Area)],
            };
        }
        return new(photo, embeddings, embeddings.Count > 0 ? embeddings[0].Model : model.Info);
    }
}
