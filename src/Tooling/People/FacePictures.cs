using Embeddings.Primitives;
using Embeddings.Tooling.Ingesting;
using Embeddings.Tooling.Items;
using Embeddings.Tooling.Photos;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Tooling.People;

/// <summary>The thumbnail of a face, or the reason why there is none.</summary>
internal readonly record struct FacePicture(byte[]? Jpeg, string Missing);

/// <summary>
/// Cuts the thumbnails of stored faces from their photos: the files in the attribute <c>path</c>. Each photo is decoded once.
/// </summary>
/// <param name="folder">Folder that relative paths start from.</param>
internal sealed class FacePictures(string folder)
{
    // Set by the server if try_rotations turned the photo.
    private const string Rotation = "photo_rotation";

    private readonly Dictionary<string, FacePicture> _byPoint = new(StringComparer.Ordinal);

    /// <summary>Returns the thumbnail of a face.</summary>
    public FacePicture this[string pointId] =>
        _byPoint.TryGetValue(pointId, out var picture) ? picture : new(null, "the face is not stored any more");

    /// <summary>Cuts the thumbnails of some faces.</summary>
    /// <param name="points">Stored points with their payload.</param>
    /// <param name="wanted">Ids of the points to cut; others are ignored.</param>
    /// <param name="cancellationToken">Cancels reading and decoding.</param>
    public async Task ReadAsync(
        IAsyncEnumerable<VectorPoint> points, IReadOnlySet<string> wanted, CancellationToken cancellationToken)
    {
        var byFile = new Dictionary<(string Path, int Rotation), List<(string Id, BoundingBox Box)>>();
        await foreach (var point in points.WithCancellation(cancellationToken))
        {
            if (!wanted.Contains(point.PointId))
            {
                continue;
            }
            if (PathOf(point) is not { } path)
            {
                _byPoint[point.PointId] = new(null, "the face has no attribute path");
            }
            else if (point.Payload.Bbox is not { } box)
            {
                _byPoint[point.PointId] = new(null, "the face has no bbox");
            }
            else if (byFile.TryGetValue((path, RotationOf(point)), out var others))
            {
                others.Add((point.PointId, box));
            }
            else
            {
                byFile.Add((path, RotationOf(point)), [(point.PointId, box)]);
            }
        }
        foreach (var ((path, rotation), faces) in byFile)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await CutAsync(path, rotation, faces, cancellationToken);
        }
    }

    private async Task CutAsync(
        string path, int rotation, List<(string Id, BoundingBox Box)> faces, CancellationToken cancellationToken)
    {
        try
        {
            var cut = await FaceThumbnails.CutAsync(
                Path.Combine(folder, path), [.. faces.Select(face => face.Box)], rotation, cancellationToken);
            foreach (var (face, jpeg) in faces.Zip(cut))
            {
                _byPoint[face.Id] = new(jpeg, jpeg is null ? $"the face is outside of photo {path}" : "");
            }
        }
        catch (Exception e) when (e is ItemFault or Fault or IOException or UnauthorizedAccessException or ArgumentException)
        {
            var why = e is ItemFault { Error.Reason: ItemFault.FileNotFound } ? $"photo {path} was not found" : $"photo {path}: {e.Message}";
            foreach (var (id, _) in faces)
            {
                _byPoint[id] = new(null, why);
            }
        }
    }

    // Anybody may write attributes.
    private static int RotationOf(VectorPoint point) =>
        point.Payload?.Attributes?.Fields.TryGetValue(Rotation, out var value) == true && value.NumberValue is 90 or 180 or 270
            ? (int)value.NumberValue
            : 0;

    private static string? PathOf(VectorPoint point) =>
        point.Payload?.Attributes?.Fields.TryGetValue(ItemAttributes.Path, out var value) == true
        && value is { KindCase: Value.KindOneofCase.StringValue, StringValue: { Length: > 0 } path } && !path.Contains('\0')
            ? path
            : null;
}
