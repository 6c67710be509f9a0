using NetVips;

namespace Embeddings.Server.Imaging;

/// <summary>A decoded picture, upright, RGB or gray, in memory that libvips allocated and this gives back.</summary>
internal sealed class DecodedImage : IDisposable
{
    private nint _pixels;
    private readonly int _length;

    /// <summary>Computes the pixels of <paramref name="image"/>: unsigned bytes of one or three bands.</summary>
    public DecodedImage(Image image)
    {
        Width = image.Width;
        Height = image.Height;
        Channels = image.Bands;
        _length = checked(Width * Height * Channels);
        _pixels = image.WriteToMemory(out var size);
        if (size != (ulong)_length)
        {
            Dispose();
            throw new InvalidOperationException($"libvips made {size} bytes of {Width}x{Height}x{Channels} pixels");
        }
    }

    public int Width { get; }

    public int Height { get; }

    public int Channels { get; }

    /// <summary>Valid until this is disposed.</summary>
    public unsafe PixelView View => new(new ReadOnlySpan<byte>((void*)_pixels, _length), Width, Height, Channels);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _pixels, 0) is not 0 and var pixels)
        {
            NetVips.NetVips.Free(pixels);
        }
    }
}
