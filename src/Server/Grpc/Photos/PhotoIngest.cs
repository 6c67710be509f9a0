using System.Text.Json.Nodes;
using Embeddings.Core;
using Embeddings.Core.Faces;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Server.Grpc.Persons;
using Embeddings.Server.Grpc.Streaming;
using Embeddings.Storage;

namespace Embeddings.Server.Grpc.Photos;

/// <summary>Destination and payload of a photo, checked.</summary>
/// <param name="Collection">Collection of the faces.</param>
/// <param name="Payload">Payload that the faces have in common.</param>
/// <param name="Returned">Form of the vectors in the ack.</param>
/// <param name="Image">Request to embed the whole image, or null.</param>
/// <param name="ImageCollection">Collection of the whole image.</param>
internal sealed record PhotoItem(
    string Collection, PointPayload Payload, Returned Returned, EmbedRequest? Image, string ImageCollection)
{
    /// <summary>Reads the item of a request; <paramref name="path"/> is the path of its field.</summary>
    public static (PhotoItem Item, PhotoRequest Photo) Read(
        V1.PhotoItem? item, string path, string model, string collection, Returned returned, bool wait)
    {
        var present = Require.Present(item, path);
        var payload = Require.Within(path, () => PointMapping.ToStored(present));
        var photo = FaceMapping.ToPhoto(present.Photo, $"{path}.photo");
        var search = FaceMapping.ToSearch(present.Options);
        var image = new EmbedRequest(ModelKind.Image, present.ImageModel, photo, wait, $"{path}.photo");
        return (
            new(
                Require.Collection(collection),
                payload,
                returned,
                present.WithImage ? image : null,
                present.WithImage || present.ImageCollection.Length > 0 ? Require.Collection(present.ImageCollection) : ""),
            new(photo, search, model, wait, $"{path}.photo"));
    }
}

/// <summary>
/// Stores the faces of photos. A photo that is sent again replaces its faces: those that it does not have any more are removed
/// in the same write, and the others keep the person that they were given.
/// </summary>
internal sealed class PhotoIngest(
    FaceEmbedder photos, EmbeddingPipeline pipeline, IVectorStore store, EmbeddingMetrics metrics, TimeProvider time)
{
    /// <summary>
    /// Clockwise rotation in degrees that <c>try_rotations</c> applied: without it, nobody can find the box in the file.
    /// </summary>
    public const string RotationKey = "photo_rotation";

    // Overlap from which two boxes are the same face of a photo: intersection over union.
    private const float SameFace = 0.5f;

    /// <summary>Embeds and stores the photo of a unary call.</summary>
    public async Task<(V1.PhotoAck Ack, V1.Timings Timings)> IngestAsync(
        (PhotoItem Item, PhotoRequest Photo) request, CancellationToken cancellationToken)
    {
        return await await EnqueueAsync(request, new(), cancellationToken);
    }

    /// <summary>
    /// Starts to embed and store the photo of a stream. Completes when the next message may be read.
    /// </summary>
    public async ValueTask<Task<(V1.PhotoAck Ack, V1.Timings Timings)>> EnqueueAsync(
        (PhotoItem Item, PhotoRequest Photo) request, StreamOrder order, CancellationToken cancellationToken)
    {
        var image = request.Item.Image is { } embed ? await pipeline.EnqueueAsync(embed, cancellationToken) : default;
        var faces = await photos.StartAsync(request.Photo, cancellationToken);
        return StoreAsync(request.Item, faces, image, order, cancellationToken);
    }

    private async Task<(V1.PhotoAck Ack, V1.Timings Timings)> StoreAsync(
        PhotoItem item,
        Task<EmbeddedPhoto> embedding,
        PendingEmbedding embeddingImage,
        StreamOrder order,
        CancellationToken cancellationToken)
    {
        EmbeddedPhoto photo;
        EmbedResult? image;
        Task<long> replaced;
        long began;
        using (var turn = order.Enter())
        {
            photo = await embedding;
            image = item.Image is null ? null : await embeddingImage;
            await turn.Previous;
            began = time.GetTimestamp();
            replaced = await ReplaceAsync(item, photo, cancellationToken);
        }
        var removed = await replaced;
        if (image is not null)
        {
            await store.EnsureCollectionAsync(Collections.SpecFor(item.ImageCollection, image.Model), cancellationToken);
            var point = new StoredPoint(item.Payload.JobId, image.Vector, item.Payload);
            await store.UpsertAsync(item.ImageCollection, [point], cancellationToken);
        }
        var took = time.GetElapsedTime(began);
        metrics.StageTook(EmbeddingMetrics.StoreStage, took);
        return (ToAck(item, photo, image, removed), FaceMapping.ToTimings(photo.Photo, photo.Embeddings, took));
    }

    // Completes when the write has been passed to the store, which keeps the order of writes; the inner task when it is durable.
    private async Task<Task<long>> ReplaceAsync(PhotoItem item, EmbeddedPhoto photo, CancellationToken cancellationToken)
    {
        var jobId = item.Payload.JobId;
        await store.EnsureCollectionAsync(Collections.SpecFor(item.Collection, photo.Model), cancellationToken);
        var named = PersonAttributes.PersonOf(item.Payload.Attributes) is not null
            ? []
            : await NamedFacesAsync(item.Collection, jobId, cancellationToken);
        var faces = photo.Photo.Faces;
        var points = new List<StoredPoint>(faces.Count);
        for (var i = 0; i < faces.Count; i++)
        {
            var attributes = (JsonObject?)item.Payload.Attributes?.DeepClone() ?? [];
            attributes[PersonAttributes.Quality] = (double)faces[i].Quality.Overall;
            if (photo.Photo.Rotation != 0)
            {
                attributes[RotationKey] = (double)photo.Photo.Rotation;
            }
            var payload = FaceMapping.ToPayload(faces[i], i, item.Payload) with
            {
                Attributes = PersonAttributes.Carried(TakeSame(named, faces[i].Box)?.Payload.Attributes, attributes),
            };
            points.Add(new(PointId(jobId, i), photo.Embeddings[i].Vector, payload));
        }
        return store.ReplaceFacesAsync(item.Collection, jobId, points, cancellationToken);
    }

    private async Task<List<StoredPoint>> NamedFacesAsync(string collection, string jobId, CancellationToken cancellationToken)
    {
        var filter = new PointFilter { JobId = jobId, Attributes = [new(PersonAttributes.Person, Exists: true)] };
        var named = new List<StoredPoint>();
        await foreach (var points in store.PagesAsync(collection, filter, withVectors: false, cancellationToken))
        {
            named.AddRange(points.Where(point => point.Payload is { FaceIndex: not null, Bbox: not null }));
        }
        return named;
    }

    // The earlier face with the largest overlap; each is taken once.
    private static StoredPoint? TakeSame(List<StoredPoint> earlier, FaceBox box)
    {
        var best = earlier.MaxBy(Overlap);
        if (best is null || Overlap(best) < SameFace)
        {
            return null;
        }
        earlier.Remove(best);
        return best;

        float Overlap(StoredPoint point)
        {
            var other = point.Payload.Bbox!.Value;
            return new FaceBox(other.X, other.Y, other.Width, other.Height).Overlap(box);
        }
    }

    private static string PointId(string jobId, int index) => FormattableString.Invariant($"{jobId}-{index}");

    private static V1.PhotoAck ToAck(PhotoItem item, EmbeddedPhoto photo, EmbedResult? image, long removed)
    {
        var ack = new V1.PhotoAck
        {
            Collection = item.Collection,
            LeftOut = { photo.Photo.LeftOut.Select(FaceMapping.ToContract) },
            RemovedCount = removed,
            Photo = FaceMapping.ToContract(photo.Photo),
        };
        for (var i = 0; i < photo.Photo.Faces.Count; i++)
        {
            ack.Faces.Add(new V1.StoredFace
            {
                PointId = PointId(item.Payload.JobId, i),
                Face = FaceMapping.ToContract(photo.Photo.Faces[i], i),
                Embedding = item.Returned.Embedding(photo.Embeddings[i]),
            });
        }
        if (image is not null)
        {
            ack.Image = new()
            {
                PointId = item.Payload.JobId,
                Collection = item.ImageCollection,
                Embedding = item.Returned.Embedding(image),
            };
        }
        return ack;
    }
}
