using System.Runtime.InteropServices;
using NetVips;

namespace Embeddings.Server.Imaging;

/// <summary>A decoded picture, upright, RGB or gray, in memory that this gives back.</summary>
internal sealed unsafe class DecodedImage : IDisposable
{
    // Arrays from 85,000 bytes on are costly ones for the collector.
    private const int StripBytes = 64 * 1024;

    private readonly int _length;
    private void* _pixels;

    /// <summary>Computes the pixels of <paramref name="image"/>: unsigned bytes of one or three bands.</summary>
    /// <remarks>
    /// On this thread, in strips. libvips' way to write all of a picture to memory has a thread of its own for it, which tells this one of every strip: a
    /// third of the time that a JPEG of 640x480 takes.
    /// </remarks>
    public DecodedImage(Image image)
    {
        Width = image.Width;
        Height = image.Height;
        Channels = image.Bands;
        var stride = Width * Channels;
        _length = checked(stride * Height);
        _pixels = NativeMemory.Alloc((nuint)_length);
        try
        {
            using var region = Region.New(image);
            var rows = Math.Max(StripBytes / stride, 1);
            for (var top = 0; top < Height; top += rows)
            {
                var strip = region.Fetch(0, top, Width, Math.Min(rows, Height - top));
                strip.CopyTo(new Span<byte>(_pixels, _length)[(top * stride)..]);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public int Width { get; }

    public int Height { get; }

    public int Channels { get; }

    /// <summary>Valid until this is disposed.</summary>
    public PixelView View => new(new ReadOnlySpan<byte>(_pixels, _length), Width, Height, Channels);

    public void Dispose()
    {
        NativeMemory.Free(_pixels);
        _pixels = null;
    }
}
