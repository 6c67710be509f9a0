using Embeddings.Core.Memory;
using Embeddings.Core.Models;

namespace Embeddings.Core.Imaging;

/// <summary>
/// Memory and work of decoding, known from the header. Formats that are decoded row by row need only a window of rows; the
/// factors of the others are those of their libraries, measured as the peak of resident memory.
/// </summary>
internal static class DecodeCost
{
    // Work from which an image is large: about half a second, at 6 nanoseconds for a pixel of a JPEG.
    public const long LargeWork = 100_000_000;

    // Buffers of the decoders and of libvips: lines, tiles, tables.
    private const long Fixed = 1 << 20;

    // Work of converting a pixel to sRGB, measured: 4 for a profile of matrices, 25 for one of tables, which is rare.
    private const long ProfileWork = 8;

    // Rows that libvips keeps of a sequential image, and the most rows of the source that one row of the result needs, in
    // units of the scale.
    private const int SequentialRows = 64;
    private const int FilterRows = 4;

    /// <summary>The cost of an encoded image.</summary>
    /// <param name="file">The image.</param>
    /// <param name="shrink">The factor by which it is shrunk while it is decoded.</param>
    /// <param name="isAligned">True if it is aligned by landmarks: the rows of the face are in memory together.</param>
    /// <param name="spec">The model's input.</param>
    /// <param name="gate">The gate that it will be admitted to.</param>
    public static Charge Of(EncodedImage file, int shrink, bool isAligned, InputSpec spec, FairGate gate)
    {
        var rows = Rows(file.Height, shrink, isAligned, spec);
        return ToCharge(Bytes(file, shrink, rows), Work(file, shrink), gate);
    }

    /// <summary>Memory that decoding an image needs, bytes.</summary>
    /// <param name="file">The image.</param>
    /// <param name="shrink">The factor by which it is shrunk while it is decoded.</param>
    /// <param name="rows">Rows of the source that are in memory together.</param>
    public static long Bytes(EncodedImage file, int shrink, long rows)
    {
        var rowBytes = (long)file.Width / shrink * file.PixelBytes;
        var bytes = Fixed + (rowBytes * (SequentialRows + rows));
        if (file.IsBuffered)
        {
            bytes += (long)file.Width * file.Height * BytesPerPixel(file);
        }
        if (!file.Orientation.IsUpright)
        {
            bytes += rowBytes * (file.Height / shrink);
        }
        return bytes;
    }

    /// <summary>Work of decoding an image, in pixels of a JPEG.</summary>
    public static long Work(EncodedImage file, int shrink)
    {
        var pixels = (long)file.Width * file.Height;
        var work = pixels * WorkPerPixel(file.Format);
        return file.ConvertsColors ? work + (pixels / shrink / shrink * ProfileWork) : work;
    }

    /// <summary>The cost of checked raw pixels: they are in memory already, and rows in use that have to be converted.</summary>
    public static Charge Of(in ImageInput image, InputSpec spec, FairGate gate)
    {
        var raw = new RawPixels(image);
        var rows = Rows(image.Height, 1, image.Landmarks is not null, spec);
        var bytes = raw.IsPlain ? 0 : Fixed + ((long)image.Width * raw.PixelBytes * rows);
        return ToCharge(bytes, (long)image.Width * image.Height, gate);
    }

    // The rows of the source that are in memory together.
    private static long Rows(int height, int shrink, bool isAligned, InputSpec spec) =>
        isAligned ? height : Math.Min((long)height / shrink / spec.Height * FilterRows, height);

    private static Charge ToCharge(long bytes, long work, FairGate gate) =>
        new(bytes, Math.Max(work, 1), work > LargeWork || bytes > gate.Largest / 6);

    // Bytes of the library per pixel, the rows of libvips included.
    private static int BytesPerPixel(EncodedImage file) => file.Format switch
    {
        // Coefficients of 16 bits.
        FileFormat.Jpeg => 2 * file.PixelBytes,
        FileFormat.Png => file.PixelBytes,
        // The decoder's pixels and those of the canvas, four bytes each.
        FileFormat.WebP => 8,
        FileFormat.Gif => 6,
        // Planes and their conversions.
        FileFormat.Avif => 10 + (2 * file.PixelBytes),
        // A strip or tile may be the whole image.
        _ => 2 * file.PixelBytes,
    };

    // Time relative to a baseline JPEG, measured.
    private static int WorkPerPixel(FileFormat format) => format switch
    {
        FileFormat.Jpeg => 1,
        FileFormat.WebP => 6,
        FileFormat.Avif => 8,
        _ => 3,
    };
}
