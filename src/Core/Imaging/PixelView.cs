namespace Embeddings.Core.Imaging;

/// <summary>All of a picture: eight-bit pixels row by row without gaps, wherever they lie.</summary>
/// <param name="pixels">width x height x channels bytes.</param>
/// <param name="width">Pixels.</param>
/// <param name="height">Pixels.</param>
/// <param name="channels">1 or 3.</param>
internal readonly ref struct PixelView(ReadOnlySpan<byte> pixels, int width, int height, int channels) : IPixelRows
{
    private readonly ReadOnlySpan<byte> _pixels = pixels[..(width * height * channels)];

    public int Width { get; } = width;

    public int Height { get; } = height;

    public int Channels { get; } = channels;

    public ReadOnlySpan<byte> Rows(int first, int count) => _pixels.Slice(first * Width * Channels, count * Width * Channels);
}
