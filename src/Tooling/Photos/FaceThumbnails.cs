using Embeddings.Primitives;
using Embeddings.Tooling.Items;
using Embeddings.V1;
using SkiaSharp;

namespace Embeddings.Tooling.Photos;

/// <summary>Cuts square thumbnails of faces from photos.</summary>
internal static class FaceThumbnails
{
    /// <summary>Width and height of a thumbnail in pixels.</summary>
    public const int Side = 112;

    // Of the longer side of the box, around it.
    private const float Margin = 0.25f;
    private const int Quality = 82;

    // The gray of faces without a thumbnail in the report.
    private static readonly SKColor Outside = SKColor.Parse("#eeeeee");

    /// <summary>Cuts faces of one photo.</summary>
    /// <param name="path">File of the photo.</param>
    /// <param name="boxes">Boxes of the faces in pixels of the upright photo.</param>
    /// <param name="rotation">Clockwise rotation in degrees that made the photo upright, after its EXIF orientation.</param>
    /// <param name="cancellationToken">Ends the decoding.</param>
    /// <returns>One JPEG file per box; null for a box outside the photo.</returns>
    /// <exception cref="ItemFault">The file does not exist or cannot be read.</exception>
    /// <exception cref="Fault">The file is not an image or is damaged.</exception>
    public static async Task<IReadOnlyList<byte[]?>> CutAsync(
        string path, IReadOnlyList<BoundingBox> boxes, int rotation, CancellationToken cancellationToken)
    {
        // Opening a pipe would wait for a writer. It has no length, like an empty file.
        if (File.Exists(path) && new FileInfo(path).Length == 0)
        {
            throw new ItemFault(Grpc.Core.StatusCode.FailedPrecondition, ItemFault.FileUnreadable, $"File '{path}' is empty.", "path");
        }
        var encoded = (await ImageFile.ReadAsync(path, ImageFile.DefaultMaxBytes, cancellationToken)).Encoded.Memory;
        return Cut(encoded, boxes, rotation, cancellationToken);
    }

    /// <inheritdoc cref="CutAsync"/>
    /// <param name="encoded">Content of the photo's file.</param>
    /// <param name="boxes">Boxes of the faces in pixels of the upright photo.</param>
    /// <param name="rotation">Clockwise rotation in degrees that made the photo upright, after its EXIF orientation.</param>
    /// <param name="cancellationToken">Ends the decoding.</param>
    public static IReadOnlyList<byte[]?> Cut(
        ReadOnlyMemory<byte> encoded, IReadOnlyList<BoundingBox> boxes, int rotation = 0, CancellationToken cancellationToken = default)
    {
        // No larger than the smallest face needs.
        var smallest = boxes.Count > 0 ? boxes.Min(box => Math.Max(box.Width, box.Height)) : 0;
        var shrink = new[] { 8, 4, 2 }.FirstOrDefault(factor => smallest / factor >= Side, 1);
        var (decoded, width, height) = UprightPhoto.Decode(encoded, (_, _) => shrink, cancellationToken);
        using (decoded)
        {
            using var photo = UprightPhoto.Turn(decoded, rotation);
            (width, height) = rotation % 180 == 0 ? (width, height) : (height, width);
            var scale = ((float)photo.Width / width, (float)photo.Height / height);
            return [.. boxes.Select(box => Cut(photo, box, scale))];
        }
    }

    private static byte[]? Cut(SKBitmap photo, BoundingBox box, (float X, float Y) scale)
    {
        var side = Math.Max(box.Width * scale.X, box.Height * scale.Y) * (1 + (2 * Margin));
        var x = (box.X + (box.Width / 2)) * scale.X;
        var y = (box.Y + (box.Height / 2)) * scale.Y;
        var square = SKRect.Create(x - (side / 2), y - (side / 2), side, side);
        var inside = SKRectI.Floor(SKRect.Intersect(square, SKRect.Create(photo.Width, photo.Height)));
        if (!float.IsFinite(x + y + side) || inside.Width < 1 || inside.Height < 1)
        {
            return null;
        }
        using var part = new SKBitmap();
        if (!photo.ExtractSubset(part, inside))
        {
            return null;
        }
        var zoom = Side / side;
        using var thumbnail = new SKBitmap(new SKImageInfo(Side, Side, SKColorType.Rgba8888, SKAlphaType.Opaque));
        using (var canvas = new SKCanvas(thumbnail))
        {
            canvas.Clear(Outside);
            using var source = SKImage.FromBitmap(part);
            var target = SKRect.Create(
                (inside.Left - square.Left) * zoom, (inside.Top - square.Top) * zoom, inside.Width * zoom, inside.Height * zoom);
            canvas.DrawImage(source, target, new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear));
        }
        using var image = SKImage.FromBitmap(thumbnail);
        using var file = image.Encode(SKEncodedImageFormat.Jpeg, Quality);
        return file.ToArray();
    }
}
