using System.Buffers;
using NetVips;

namespace Embeddings.Core.Imaging;

/// <summary>
/// A picture that libvips decodes while it is read, upright, RGB or gray. Only a window on it is in memory: its pixels are still in the processor's caches when
/// they are read, and the system need not hand out the pages of a whole picture, which takes half as long as decoding a JPEG of 640x480.
/// </summary>
/// <remarks>
/// It decodes on the thread that reads. libvips' own way to write a whole picture to memory has another thread do it and tell of every strip: half as much
/// processor time again. A region belongs to a thread, so that this is made, read and disposed on one.
/// </remarks>
internal sealed class DecodedRows : IPixelRows, IDisposable
{
    // Arrays from 85,000 bytes on are costly ones for the collector; a longer row cannot be helped.
    private const int StripBytes = 64 * 1024;

    private readonly Region _region;
    private readonly FileFormat _format;
    private readonly int _stride;
    private readonly int _stripRows;

    // The rows from _first to before _end; empty at first, as what the pool gives for no length.
    private byte[] _window = [];
    private int _first;
    private int _end;

    /// <param name="image">Unsigned bytes of one or three bands.</param>
    /// <param name="format">What a fault calls the file.</param>
    public DecodedRows(Image image, FileFormat format)
    {
        (Width, Height, Channels, _format) = (image.Width, image.Height, image.Bands, format);
        _stride = Width * Channels;
        _stripRows = Math.Max(StripBytes / _stride, 1);
        _region = Region.New(image);
    }

    public int Width { get; }

    public int Height { get; }

    public int Channels { get; }

    /// <inheritdoc/>
    /// <remarks>Throws a fault where the file is damaged.</remarks>
    public ReadOnlySpan<byte> Rows(int first, int count)
    {
        if (_end < first + count)
        {
            Advance(first, count);
        }
        return _window.AsSpan((first - _first) * _stride, count * _stride);
    }

    /// <summary>Decodes the rows that nobody asked for: a damaged file is a fault, not half a picture.</summary>
    public void ReadToEnd() => Rows(Height - 1, 1);

    public void Dispose()
    {
        _region.Dispose();
        ArrayPool<byte>.Shared.Return(_window);
        _window = [];
    }

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
        try
        {
            while (_end < first + count)
            {
                var rows = Math.Min(_stripRows, Height - _end);
                _region.Fetch(0, _end, Width, rows).CopyTo(_window, (_end - _first) * _stride);
                _end += rows;
            }
        }
        catch (VipsException e)
        {
            throw ImageFaults.Malformed(_format, e);
        }
    }
}
