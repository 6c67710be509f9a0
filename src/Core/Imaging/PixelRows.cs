namespace Embeddings.Core.Imaging;

/// <summary>An image that is read from top to bottom: eight-bit pixels row by row without gaps.</summary>
internal interface IPixelRows
{
    /// <summary>Width in pixels.</summary>
    int Width { get; }

    /// <summary>Height in pixels.</summary>
    int Height { get; }

    /// <summary>1 or 3.</summary>
    int Channels { get; }

    /// <summary>
    /// <paramref name="count"/> rows from <paramref name="first"/> on, which never goes back: rows above it are gone. Valid
    /// until the next call.
    /// </summary>
    ReadOnlySpan<byte> Rows(int first, int count);
}

/// <summary>A whole image in memory: eight-bit pixels row by row without gaps.</summary>
/// <param name="pixels">width x height x channels bytes.</param>
/// <param name="width">Width in pixels.</param>
/// <param name="height">Height in pixels.</param>
/// <param name="channels">1 or 3.</param>
internal readonly ref struct PixelView(ReadOnlySpan<byte> pixels, int width, int height, int channels) : IPixelRows
{
    private readonly ReadOnlySpan<byte> _pixels = pixels[..(width * height * channels)];

    public int Width { get; } = width;

    public int Height { get; } = height;

    public int Channels { get; } = channels;

    public ReadOnlySpan<byte> Rows(int first, int count) =>
        _pixels.Slice(first * Width * Channels, count * Width * Channels);
}
