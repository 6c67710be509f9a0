using Embeddings.Core;
using Embeddings.Core.Faces;
using Embeddings.Core.Memory;
using Embeddings.Core.Models;
using Embeddings.Primitives;

namespace Embeddings.Server.Grpc.Photos;

/// <summary>A photo whose faces are to be found and embedded.</summary>
/// <param name="Photo">The photo.</param>
/// <param name="Search">Faces to keep.</param>
/// <param name="Model">Name of the face model; empty for the default one.</param>
/// <param name="Wait">True to wait while the server is busy (streams), false to fail at once (unary calls).</param>
/// <param name="Path">Path of the photo in the caller's message, for faults that name a field of it.</param>
internal readonly record struct PhotoRequest(ImageInput Photo, FaceSearch Search, string Model, bool Wait, string Path);

/// <summary>A face with its vector.</summary>
internal readonly record struct VectorFace(FoundFace Face, EmbedResult Embedding);

/// <summary>The faces of a photo with their vectors, largest first, and the photo's left-out faces.</summary>
/// <param name="Photo">The photo and all faces that were found; those in <paramref name="Faces"/> have a vector.</param>
/// <param name="Model">The face model.</param>
/// <param name="Faces">Faces with a vector.</param>
/// <param name="LeftOut">Faces without one, largest first.</param>
internal sealed record EmbeddedPhoto(
    PhotoFaces Photo, ModelInfo Model, IReadOnlyList<VectorFace> Faces, IReadOnlyList<LeftOutFace> LeftOut)
{
    public V1.Timings ToTimings(TimeSpan stored = default) => new()
    {
        QueueUs = Microseconds(Photo.Queued + Longest(face => face.Queued)),
        PreprocessUs = Microseconds(Photo.Preprocessed + Longest(face => face.Preprocessed)),
        InferenceUs = Microseconds(Photo.Ran + Longest(face => face.Ran)),
        StoreUs = Microseconds(stored),
        BatchSize = Faces.Count > 0 ? Faces[^1].Embedding.BatchSize : 0,
    };

    // The faces of a photo share batches, so that their times are not added up.
    private TimeSpan Longest(Func<EmbedResult, TimeSpan> time) =>
        Faces.Count > 0 ? Faces.Max(face => time(face.Embedding)) : TimeSpan.Zero;

    private static long Microseconds(TimeSpan time) => (long)time.TotalMicroseconds;
}

/// <summary>Finds the faces of photos and embeds them: finder, then the pipeline of the face model.</summary>
internal sealed class PhotoEmbedder(FaceFinder finder, EmbeddingPipeline pipeline, ModelCatalog models, MemoryBudget memory)
{
    /// <summary>Finds the faces of a photo, in crops of the size that a face model takes.</summary>
    public Task<PhotoFaces> FindAsync(PhotoRequest request, (int Width, int Height) crop, CancellationToken cancellationToken) =>
        finder.FindAsync(request.Photo, request.Search, crop, request.Wait, request.Path, cancellationToken);

    /// <summary>Finds the faces of a photo and embeds them.</summary>
    public async Task<EmbeddedPhoto> EmbedAsync(PhotoRequest request, CancellationToken cancellationToken)
    {
        var input = models.Get(request.Model, ModelKind.Face).Manifest.Input;
        var photo = await FindAsync(request, (input.Width, input.Height), cancellationToken);

        // All at once, so that they share batches. They wait for places: the photo has been admitted.
        var pending = new List<PendingEmbedding>(photo.Faces.Count);
        foreach (var face in photo.Faces)
        {
            var image = new ImageInput(face.Crop, PixelFormat.Rgb8, input.Width, input.Height);
            var item = new EmbedRequest(ModelKind.Face, request.Model, image, Wait: true);
            pending.Add(await pipeline.EnqueueAsync(item, cancellationToken));
        }
        var faces = new List<VectorFace>(photo.Faces.Count);
        var leftOut = photo.LeftOut.ToList();
        for (var i = 0; i < pending.Count; i++)
        {
            var face = photo.Faces[i];
            try
            {
                faces.Add(new(face, await pending[i]));
            }
            catch (Fault fault) when (fault.Reason is Reasons.VectorZero or Reasons.VectorNotFinite)
            {
                leftOut.Add(new(face.Box, face.Confidence, LeftOutReason.NoVector, fault.Message));
            }
        }
        var model = faces.Count > 0 ? faces[0].Embedding.Model : models.Get(request.Model, ModelKind.Face).Info;
        return new(photo, model, faces, [.. leftOut.OrderByDescending(face => face.Box.Width * face.Box.Height)]);
    }

    /// <summary>
    /// Starts to embed a photo of a stream. Completes when the next message may be read: the bytes of the photos that wait are
    /// charged to the memory for messages.
    /// </summary>
    public async ValueTask<Task<EmbeddedPhoto>> EnqueueAsync(PhotoRequest request, CancellationToken cancellationToken)
    {
        // Twice: libvips has a copy.
        var bytes = Math.Min(2L * request.Photo.Data.Length, memory.Messages.Largest);
        if (request.Photo.Data.Length <= MemoryBudget.SmallBytes)
        {
            return EmbedAsync(request, cancellationToken);
        }
        var charge = new Charge(bytes, bytes, IsLarge: bytes > MemoryBudget.MediumBytes);
        await memory.Messages.EnterAsync(charge, Caller.Current, cancellationToken);
        return HeldAsync(request, charge, cancellationToken);
    }

    private async Task<EmbeddedPhoto> HeldAsync(PhotoRequest request, Charge charge, CancellationToken cancellationToken)
    {
        try
        {
            return await EmbedAsync(request, cancellationToken);
        }
        finally
        {
            memory.Discard(charge.Bytes / 2);
            memory.Messages.Exit(charge);
        }
    }
}
