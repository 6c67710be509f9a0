using System.Runtime.InteropServices;
using Embeddings.Core;
using Embeddings.Core.Imaging;
using SkiaSharp;

namespace Embeddings.Tooling.Photos;

/// <summary>Decodes photos to the pixels in which the server gives the coordinates of faces: upright, sRGB, on black.</summary>
internal static class UprightPhoto
{
    private const int Channels = 4;

    /// <summary>Decodes a photo.</summary>
    /// <param name="encoded">Content of the file.</param>
    /// <param name="shrink">
    /// Factor by which the result may be smaller, 1, 2, 4, or 8. Only some formats are decoded at a smaller size; others ignore it.
    /// </param>
    /// <param name="cancellationToken">Ends the decoding.</param>
    /// <returns>The pixels. The caller disposes of them.</returns>
    /// <exception cref="Primitives.Fault">The file is not an image, it is damaged, or it exceeds a limit of the server's defaults.</exception>
    public static SKBitmap Decode(ReadOnlyMemory<byte> encoded, int shrink = 1, CancellationToken cancellationToken = default) =>
        Decode(encoded, (_, _) => shrink, cancellationToken).Bitmap;

    /// <summary>Decodes a photo at a size that is chosen when its own is known.</summary>
    /// <param name="encoded">Content of the file.</param>
    /// <param name="shrink">Returns the factor from the width and the height of the upright photo.</param>
    /// <param name="cancellationToken">Ends the decoding.</param>
    /// <returns>The pixels, of which the caller disposes, and the width and the height of the upright photo.</returns>
    /// <exception cref="Primitives.Fault">The file is not an image, it is damaged, or it exceeds a limit of the server's defaults.</exception>
    public static (SKBitmap Bitmap, int Width, int Height) Decode(
        ReadOnlyMemory<byte> encoded, Func<int, int, int> shrink, CancellationToken cancellationToken)
    {
        Vips.EnsureStarted();
        using var file = EncodedImage.Open(encoded, new ImagingOptions());
        using var rows = file.Decode(file.CanShrink ? shrink(file.Width, file.Height) : 1, cancellationToken);
        var bitmap = new SKBitmap(new SKImageInfo(rows.Width, rows.Height, SKColorType.Rgba8888, SKAlphaType.Opaque));
        try
        {
            var pixels = MemoryMarshal.CreateSpan(ref MemoryMarshal.GetReference(bitmap.GetPixelSpan()), rows.Height * bitmap.RowBytes);
            for (var y = 0; y < rows.Height; y++)
            {
                Expand(rows.Rows(y, 1), rows.Channels, pixels.Slice(y * bitmap.RowBytes, rows.Width * Channels));
            }
            file.Complete(rows, cancellationToken);
            bitmap.NotifyPixelsChanged();
            return (bitmap, file.Width, file.Height);
        }
        catch
        {
            bitmap.Dispose();
            throw;
        }
    }

    /// <summary>Turns a photo clockwise.</summary>
    /// <param name="photo">The photo.</param>
    /// <param name="degrees">0, 90, 180, or 270.</param>
    /// <returns>The turned photo, or the same instance for 0.</returns>
    public static SKBitmap Turn(SKBitmap photo, int degrees)
    {
        if (degrees % 360 == 0)
        {
            return photo;
        }
        var swaps = degrees % 180 != 0;
        var (width, height) = swaps ? (photo.Height, photo.Width) : (photo.Width, photo.Height);
        var turned = new SKBitmap(new SKImageInfo(width, height, photo.ColorType, photo.AlphaType));
        using var canvas = new SKCanvas(turned);
        canvas.Translate(width / 2f, height / 2f);
        canvas.RotateDegrees(degrees);
        canvas.Translate(-photo.Width / 2f, -photo.Height / 2f);
        canvas.DrawBitmap(photo, 0, 0);
        return turned;
    }

    private static void Expand(ReadOnlySpan<byte> row, int channels, Span<byte> pixels)
    {
        var (green, blue) = channels == 1 ? (0, 0) : (1, 2);
        for (int from = 0, to = 0; to < pixels.Length; from += channels, to += Channels)
        {
            pixels[to] = row[from];
            pixels[to + 1] = row[from + green];
            pixels[to + 2] = row[from + blue];
            pixels[to + 3] = byte.MaxValue;
        }
    }
}
