using System.Runtime.InteropServices;
using Embeddings.Core.Imaging;

namespace Embeddings.Core.Faces;

/// <summary>
/// A whole photo in memory, upright: its own copy, or raw pixels of the request. Native memory, which goes back to the system
/// at once; arrays of this size would stay with the garbage collector until its next full collection.
/// </summary>
internal sealed unsafe class Photo : IDisposable
{
    private readonly ReadOnlyMemory<byte> _shared;
    private byte* _own;

    /// <summary>Allocates memory, whose content is undefined.</summary>
    public Photo(int width, int height, int channels, PixelFormat format)
        : this(default, width, height, channels, format) => _own = (byte*)NativeMemory.Alloc((nuint)Bytes);

    private Photo(ReadOnlyMemory<byte> shared, int width, int height, int channels, PixelFormat format)
    {
        _shared = shared;
        Width = width;
        Height = height;
        Channels = channels;
        Format = format;
    }

    ~Photo() => Free();

    public int Width { get; }

    public int Height { get; }

    /// <summary>1 or 3.</summary>
    public int Channels { get; }

    /// <summary>Order of the channels.</summary>
    public PixelFormat Format { get; }

    public int Bytes => Width * Height * Channels;

    /// <summary>The pixels, row by row without gaps.</summary>
    public ReadOnlySpan<byte> Pixels => _own is null ? _shared.Span[..Bytes] : Writable;

    /// <summary>The pixels as an image.</summary>
    public PixelView View => new(Pixels, Width, Height, Channels);

    private Span<byte> Writable
    {
        get
        {
            ObjectDisposedException.ThrowIf(_own is null, this);
            return new(_own, Bytes);
        }
    }

    /// <summary>
    /// Uses the pixels of a request, which must not change until this is disposed, or a copy if they have to be converted.
    /// </summary>
    public static Photo Of(in ImageInput pixels)
    {
        var raw = new RawPixels(pixels);
        if (raw.IsPlain)
        {
            return new(pixels.Data, pixels.Width, pixels.Height, raw.PixelBytes, raw.Format);
        }
        var photo = new Photo(pixels.Width, pixels.Height, raw.PixelBytes, raw.Format);
        raw.CopyTo(0, pixels.Height, photo.Writable);
        return photo;
    }

    /// <summary>Decodes a file. Throws a fault if it is damaged, and a cancellation.</summary>
    public static Photo Decode(EncodedImage file, CancellationToken cancellationToken)
    {
        using var rows = file.Decode(1, cancellationToken);
        var photo = new Photo(rows.Width, rows.Height, rows.Channels, rows.Channels == 1 ? PixelFormat.Gray8 : PixelFormat.Rgb8);
        try
        {
            rows.CopyTo(photo.Writable);
            file.Complete(rows, cancellationToken);
            return photo;
        }
        catch
        {
            photo.Dispose();
            throw;
        }
    }

    /// <summary>The photo in another size.</summary>
    public Photo Resize(int width, int height, Models.Interpolation interpolation)
    {
        var resized = new Photo(width, height, Channels, Format);
        try
        {
            Resampler.Draw(
                View, SourceBox.Whole(Width, Height), new(width, height, 0, 0), interpolation, resized.Writable, width, height);
            return resized;
        }
        catch
        {
            resized.Dispose();
            throw;
        }
    }

    /// <summary>The photo turned clockwise by 90, 180 or 270 degrees.</summary>
    public Photo Rotate(int degrees)
    {
        var transposes = degrees != 180;
        var rotated = new Photo(transposes ? Height : Width, transposes ? Width : Height, Channels, Format);
        try
        {
            PixelRotation.Rotate(Pixels, Width, Height, Channels, degrees, rotated.Writable);
            return rotated;
        }
        catch
        {
            rotated.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.Free(_own);
        _own = null;
    }
}

/// <summary>Turns pixels by right angles.</summary>
internal static class PixelRotation
{
    // A block of this many pixels squared is in the first-level cache, on both sides.
    private const int Block = 32;

    /// <summary>Turns an image clockwise.</summary>
    /// <param name="from">width x height pixels, row by row.</param>
    /// <param name="width">Width of the source, pixels.</param>
    /// <param name="height">Height of the source, pixels.</param>
    /// <param name="channels">Bytes of a pixel.</param>
    /// <param name="degrees">90, 180 or 270.</param>
    /// <param name="to">As many bytes as <paramref name="from"/>.</param>
    public static void Rotate(ReadOnlySpan<byte> from, int width, int height, int channels, int degrees, Span<byte> to)
    {
        // The pixel at (x, y) goes to start + x * perColumn + y * perRow.
        var (start, perColumn, perRow) = degrees switch
        {
            90 => (height - 1, height, -1),
            180 => ((width * height) - 1, -1, -width),
            270 => ((width - 1) * height, -height, 1),
            _ => throw new ArgumentOutOfRangeException(nameof(degrees), degrees, "must be 90, 180 or 270"),
        };
        for (var top = 0; top < height; top += Block)
        {
            var bottom = Math.Min(top + Block, height);
            for (var left = 0; left < width; left += Block)
            {
                var right = Math.Min(left + Block, width);
                for (var y = top; y < bottom; y++)
                {
                    var row = from.Slice(((y * width) + left) * channels, (right - left) * channels);
                    var at = start + (left * perColumn) + (y * perRow);
                    if (channels == 1)
                    {
                        foreach (var pixel in row)
                        {
                            to[at] = pixel;
                            at += perColumn;
                        }
                    }
                    else
                    {
                        for (; row.Length >= 3; row = row[3..], at += perColumn)
                        {
                            row[..3].CopyTo(to.Slice(at * 3, 3));
                        }
                    }
                }
            }
        }
    }
}
