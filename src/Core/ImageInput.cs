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

    /// <summary>
    /// Bytes from the start of a row of pixels to the start of the next, at least the bytes of the row's pixels and at most
    /// 1,048,576; 0 if rows are packed. For <see cref="PixelFormat.Nv12"/> it is the stride of both planes; for
    /// <see cref="PixelFormat.I420"/> that of the luma plane, and the planes of chroma have half of it, rounded up.
    /// Default: 0.
    /// </summary>
    public int RowStride { get; init; }

    /// <summary>
    /// Matrix of <see cref="PixelFormat.Nv12"/> and <see cref="PixelFormat.I420"/>; unspecified for other formats. Default:
    /// unspecified.
    /// </summary>
    public YuvMatrix YuvMatrix { get; init; }

    /// <summary>
    /// Range of <see cref="PixelFormat.Nv12"/> and <see cref="PixelFormat.I420"/>; unspecified for other formats. Default:
    /// unspecified.
    /// </summary>
    public YuvRange YuvRange { get; init; }

    /// <summary>
    /// True if the image is an aligned crop of a face, whatever its size and shape. A face without landmarks that has the
    /// size or shape of a photo is refused unless this is set. Default: false.
    /// </summary>
    public bool IsAligned { get; init; }
}

/// <summary>Layout of raw pixels, row by row; the values are those of the contract.</summary>
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

    /// <summary>Four bytes per pixel: red, green, blue, alpha, not premultiplied.</summary>
    Rgba8 = 6,

    /// <summary>Four bytes per pixel: blue, green, red, alpha, not premultiplied.</summary>
    Bgra8 = 7,

    /// <summary>A plane of luma, then a plane of pairs of Cb and Cr, one pair for every 2 x 2 pixels.</summary>
    Nv12 = 8,

    /// <summary>A plane of luma, then a plane of Cb and one of Cr, one byte each for every 2 x 2 pixels.</summary>
    I420 = 9,
}

/// <summary>Matrix from which luma and chroma were computed; the values are those of the contract.</summary>
public enum YuvMatrix
{
    /// <summary>Not stated; for other formats than NV12 and I420.</summary>
    Unspecified = 0,

    /// <summary>ITU-R BT.601, used for standard definition and by most cameras.</summary>
    Bt601 = 1,

    /// <summary>ITU-R BT.709, used for high definition.</summary>
    Bt709 = 2,
}

/// <summary>Range of the values of luma and chroma; the values are those of the contract.</summary>
public enum YuvRange
{
    /// <summary>Not stated; for other formats than NV12 and I420.</summary>
    Unspecified = 0,

    /// <summary>Luma from 16 to 235, chroma from 16 to 240.</summary>
    Limited = 1,

    /// <summary>Luma and chroma from 0 to 255.</summary>
    Full = 2,
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
