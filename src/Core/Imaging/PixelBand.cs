namespace Embeddings.Core.Imaging;

/// <summary>Some rows of a picture, found by the picture's coordinates.</summary>
/// <param name="rows">From row <paramref name="top"/> on.</param>
/// <param name="top">The first row.</param>
/// <param name="width">Of the picture, pixels.</param>
/// <param name="height">Of the picture, pixels.</param>
/// <param name="channels">1 or 3.</param>
internal readonly ref struct PixelBand(ReadOnlySpan<byte> rows, int top, int width, int height, int channels)
{
    private readonly ReadOnlySpan<byte> _rows = rows;

    public int Width { get; } = width;

    public int Height { get; } = height;

    /// <summary><paramref name="count"/> pixels of row <paramref name="y"/> from <paramref name="x"/> on.</summary>
    public ReadOnlySpan<byte> Pixels(int x, int y, int count) => _rows.Slice(((y - top) * Width + x) * channels, count * channels);
}
