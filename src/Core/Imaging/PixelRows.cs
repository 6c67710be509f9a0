using System.Buffers;

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

/// <summary>
/// An image of which only a window of rows is in memory, made when they are read: its pixels are still in the processor's
/// caches then, and the system does not have to provide the pages of a whole image.
/// </summary>
internal abstract class RowWindow(int width, int height, int channels) : IPixelRows, IDisposable
{
    // Arrays of 85,000 bytes and more are expensive for the garbage collector; only a longer row exceeds it.
    private const int StripBytes = 64 * 1024;

    private readonly int _stride = width * channels;
    private readonly int _stripRows = Math.Max(StripBytes / (width * channels), 1);

    // The rows from _first to before _end; empty at first, as what the pool returns for length 0.
    private byte[] _window = [];
    private int _first;
    private int _end;

    public int Width { get; } = width;

    public int Height { get; } = height;

    public int Channels { get; } = channels;

    /// <summary>True if all rows have been read.</summary>
    protected bool IsAtEnd => _end == Height;

    public virtual ReadOnlySpan<byte> Rows(int first, int count)
    {
        if (_end < first + count)
        {
            Advance(first, count);
        }
        return _window.AsSpan((first - _first) * _stride, count * _stride);
    }

    /// <summary>
    /// Writes all rows to memory of the caller's: width x height x channels bytes. Only for an image of which no row has been
    /// read.
    /// </summary>
    public void CopyTo(Span<byte> pixels)
    {
        while (_end < Height)
        {
            var rows = Math.Min(_stripRows, Height - _end);
            Read(_end, rows, pixels.Slice(_end * _stride, rows * _stride));
            _first = _end += rows;
        }
    }

    public virtual void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_window);
        _window = [];
    }

    /// <summary>Writes <paramref name="count"/> rows from <paramref name="first"/> on, which never goes back.</summary>
    protected abstract void Read(int first, int count, Span<byte> rows);

    // Drops the rows above `first` and reads on until `count` from there are in the window.
    private void Advance(int first, int count)
    {
        var kept = Math.Max(_end - first, 0);
        var old = _window;
        var most = Math.Min(count + _stripRows, Height - first) * _stride;
        if (old.Length < most)
        {
            _window = ArrayPool<byte>.Shared.Rent(most);
        }
        old.AsSpan((_end - kept - _first) * _stride, kept * _stride).CopyTo(_window);
        if (old != _window)
        {
            ArrayPool<byte>.Shared.Return(old);
        }
        _end = Math.Max(_end, first);
        _first = first;
        while (_end < first + count)
        {
            var rows = Math.Min(_stripRows, Height - _end);
            Read(_end, rows, _window.AsSpan((_end - _first) * _stride, rows * _stride));
            _end += rows;
        }
    }
}
