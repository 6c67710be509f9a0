using System.Numerics;

namespace Embeddings.Core;

/// <summary>An image: an encoded file, or raw pixels with their size and layout.</summary>
/// <param name="Data">Bytes of the file, or pixels row by row. They must not change while the image is in use.</param>
/// <param name="Format">Layout of the pixels; <see cref="PixelFormat.Encoded"/> for a file.</param>
/// <param name="Width">Width in pixels; 0 for a file.</param>
/// <param name="Height">Height in pixels; 0 for a file.</param>
/// <param name="Landmarks">Landmarks to align the face by, or null to take the image as it is.</param>
public readonly record struct ImageInput(
    ReadOnlyMemory<byte> Data, PixelFormat Format, int Width, int Height, Landmarks? Landmarks = null)
{
    /// <summary>An encoded file: JPEG, PNG, WebP, GIF, TIFF or AVIF, recognized by its first bytes.</summary>
    /// <param name="file">Content of the file.</param>
    /// <param name="landmarks">
    /// Landmarks to align the face by, in pixels of the upright image; null to take the image as it is.
    /// </param>
    public static ImageInput FromFile(ReadOnlyMemory<byte> file, Landmarks? landmarks = null) =>
        new(file, PixelFormat.Encoded, 0, 0, landmarks);
}

/// <summary>Layout of raw pixels, row by row and interleaved; the values are those of the contract.</summary>
public enum PixelFormat
{
    /// <summary>Not pixels but an encoded file.</summary>
    Encoded = 0,

    /// <summary>Three bytes per pixel: red, green, blue.</summary>
    Rgb8 = 1,

    /// <summary>Three bytes per pixel: blue, green, red.</summary>
    Bgr8 = 2,

    /// <summary>One byte per pixel.</summary>
    Gray8 = 3,

    /// <summary>Three little-endian floats per pixel, red first, in the size and scale of the model's input.</summary>
    RgbF32 = 4,

    /// <summary>Three little-endian floats per pixel, blue first, in the size and scale of the model's input.</summary>
    BgrF32 = 5,
}

/// <summary>
/// Five points of a face, in pixels; (0, 0) is the center of the top left pixel. Left and right are those of the image.
/// </summary>
/// <param name="LeftEye">Center of the eye on the left of the image.</param>
/// <param name="RightEye">Center of the eye on the right of the image.</param>
/// <param name="Nose">Tip of the nose.</param>
/// <param name="LeftMouthCorner">Corner of the mouth on the left of the image.</param>
/// <param name="RightMouthCorner">Corner of the mouth on the right of the image.</param>
public sealed record Landmarks(
    Vector2 LeftEye, Vector2 RightEye, Vector2 Nose, Vector2 LeftMouthCorner, Vector2 RightMouthCorner)
{
    /// <summary>Writes the five points in the order of the parameters.</summary>
    internal void CopyTo(Span<Vector2> points)
    {
        points[0] = LeftEye;
        points[1] = RightEye;
        points[2] = Nose;
        points[3] = LeftMouthCorner;
        points[4] = RightMouthCorner;
    }
}
