using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Embeddings.Client;
using Embeddings.Tooling.Items;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Tooling.Migrating;

/// <summary>A point without a new vector, and the reason.</summary>
/// <param name="PointId">The point.</param>
/// <param name="Reason">What is wrong with its source.</param>
internal sealed record PointFailure(string PointId, string Reason);

/// <summary>Embeds the images of points again.</summary>
/// <param name="client">The server.</param>
/// <param name="model">Name of the new model.</param>
/// <param name="isFace">True for a face model.</param>
/// <param name="source">The files.</param>
/// <param name="arePhotos">True if the files are whole photos: the face that overlaps the point's <c>bbox</c> is taken.</param>
/// <param name="maxBytes">The largest file to send.</param>
internal sealed class SourceEmbedder(
    EmbeddingsClient client, string model, bool isFace, SourcePattern source, bool arePhotos, int maxBytes)
{
    // The least overlap, as intersection over union: detectors of other versions move the box a little, and another face of the photo
    // overlaps less.
    private const float MinOverlap = 0.5f;
    private const int PhotosInFlight = 4;

    /// <summary>Returns the new vectors of those points that have a source, by their ids, as little-endian float32.</summary>
    public async Task<IReadOnlyDictionary<string, ByteString>> EmbedAsync(
        IReadOnlyList<VectorPoint> points, Action<PointFailure> failed, CancellationToken cancellationToken)
    {
        var vectors = new ConcurrentDictionary<string, ByteString>(StringComparer.Ordinal);
        var files = new List<(VectorPoint Point, string Path)>();
        foreach (var point in points)
        {
            if (source.PathOf(point) is { } path)
            {
                files.Add((point, path));
            }
            else
            {
                failed(new(point.PointId, "The point lacks a field of --source, or its path leaves the folder."));
            }
        }
        if (arePhotos)
        {
            var options = new ParallelOptions { MaxDegreeOfParallelism = PhotosInFlight, CancellationToken = cancellationToken };
            await Parallel.ForEachAsync(
                files.GroupBy(static file => file.Path, static file => file.Point),
                options,
                async (photo, cancel) => await EmbedPhotoAsync(photo.Key, [.. photo], vectors, failed, cancel));
            return vectors;
        }
        await foreach (var response in client.StreamEmbedAsync(RequestsAsync(files, failed, cancellationToken), cancellationToken))
        {
            if (response.Embedding is { } embedding)
            {
                vectors[response.ItemId] = embedding.ValuesF32;
            }
            else
            {
                failed(new(response.ItemId, response.Error.Message));
            }
        }
        return vectors;
    }

    private async IAsyncEnumerable<StreamEmbedRequest> RequestsAsync(
        List<(VectorPoint Point, string Path)> files,
        Action<PointFailure> failed,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var (point, path) in files)
        {
            if (await ReadAsync(path, [point], failed, cancellationToken) is not { } image)
            {
                continue;
            }
            var request = new StreamEmbedRequest { ItemId = point.PointId, Model = model, VectorsAsBytes = true };
            if (isFace)
            {
                request.Face = new FaceCrop { Image = image, Aligned = true };
            }
            else
            {
                request.Image = image;
            }
            yield return request;
        }
    }

    private async Task EmbedPhotoAsync(
        string path,
        VectorPoint[] points,
        ConcurrentDictionary<string, ByteString> vectors,
        Action<PointFailure> failed,
        CancellationToken cancellationToken)
    {
        if (await ReadAsync(path, points, failed, cancellationToken) is not { } image)
        {
            return;
        }
        EmbedFacesResponse found;
        try
        {
            found = await client.EmbedFacesAsync(new EmbedFacesRequest { Photo = image, Model = model }, cancellationToken);
        }
        catch (EmbeddingsException e) when (e.Status == StatusCode.InvalidArgument)
        {
            FailAll(points, e.Message, failed);
            return;
        }
        foreach (var point in points)
        {
            var best = point.Payload?.Bbox is { } box ? found.Faces.MaxBy(face => Overlap(box, face.Face.Bbox)) : null;
            if (best is null || Overlap(point.Payload!.Bbox, best.Face.Bbox) < MinOverlap)
            {
                failed(new(point.PointId, $"No face in '{path}' overlaps the point's bbox by half."));
                continue;
            }
            var vector = new VectorPoint();
            vector.SetVector(best.Embedding.GetVector());
            vectors[point.PointId] = vector.VectorF32;
        }
    }

    private async Task<Image?> ReadAsync(
        string path, IReadOnlyList<VectorPoint> points, Action<PointFailure> failed, CancellationToken cancellationToken)
    {
        try
        {
            return await ImageFile.ReadAsync(path, maxBytes, cancellationToken);
        }
        catch (ItemFault e)
        {
            FailAll(points, e.Message, failed);
            return null;
        }
    }

    private static void FailAll(IReadOnlyList<VectorPoint> points, string reason, Action<PointFailure> failed)
    {
        foreach (var point in points)
        {
            failed(new(point.PointId, reason));
        }
    }

    private static float Overlap(BoundingBox a, BoundingBox b)
    {
        var width = MathF.Min(a.X + a.Width, b.X + b.Width) - MathF.Max(a.X, b.X);
        var height = MathF.Min(a.Y + a.Height, b.Y + b.Height) - MathF.Max(a.Y, b.Y);
        var common = MathF.Max(0, width) * MathF.Max(0, height);
        var all = (a.Width * a.Height) + (b.Width * b.Height) - common;
        return all > 0 ? common / all : 0;
    }
}
