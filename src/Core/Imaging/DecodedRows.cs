using System.Buffers;
using NetVips;

namespace Embeddings.Core.Imaging;

/// <summary>
/// An image that libvips decodes while it is read, upright, RGB or gray. Only a window of it is in memory: its pixels are
/// still in the processor's caches when they are read, and the system does not have to provide the pages of a whole image,
/// which takes half as long as decoding a JPEG of 640x480.
/// </summary>
/// <remarks>
/// It decodes on the thread that reads. If libvips writes a whole image to memory, another thread does it and signals every
/// strip: half as much processor time again. A region belongs to a thread, so that an instance is created, read and disposed
/// on one.
/// </remarks>
internal sealed class DecodedRows : IPixelRows, IDisposable
{
    // Arrays of 85,000 bytes and more are expensive for the garbage collector; only a longer row exceeds it.
    private const int StripBytes = 64 * 1024;

    private readonly Region _region;
    private readonly FileFormat _format;
    private readonly CancellationToken _cancellation;
    private readonly CancellationTokenRegistration _registration;
    private readonly Image? _whole;
    private readonly int _stride;
    private readonly int _stripRows;

    // The rows from _first to before _end; empty at first, as what the pool returns for length 0.
    private byte[] _window = [];
    private int _first;
    private int _end;

    /// <param name="image">Unsigned bytes of one or three bands.</param>
    /// <param name="format">Format of the file, for faults.</param>
    /// <param name="whole">
    /// The image as loaded if libvips decodes all of it at the first read; disposed with this instance.
    /// </param>
    /// <param name="cancellationToken">Ends the decoding.</param>
    public DecodedRows(Image image, FileFormat format, Image? whole = null, CancellationToken cancellationToken = default)
    {
        Width = image.Width;
        Height = image.Height;
        Channels = image.Bands;
        _format = format;
        _stride = Width * Channels;
        _stripRows = Math.Max(StripBytes / _stride, 1);
        _region = Region.New(image);
        _cancellation = cancellationToken;
        _whole = whole;
        if (whole is not null)
        {
            _registration = cancellationToken.UnsafeRegister(static state => ((Image)state!).SetKill(true), whole);
        }
    }

    public int Width { get; }

    public int Height { get; }

    public int Channels { get; }

    /// <inheritdoc/>
    /// <remarks>Throws a fault if the file is damaged, and a cancellation between two strips.</remarks>
    public ReadOnlySpan<byte> Rows(int first, int count)
    {
        if (_end < first + count)
        {
            Advance(first, count);
        }
        return _window.AsSpan((first - _first) * _stride, count * _stride);
    }

    /// <summary>
    /// Decodes all rows into memory of the caller's: width x height x channels bytes. Only for an image of which no row has been
    /// read.
    /// </summary>
    /// <inheritdoc cref="Rows"/>
    public void CopyTo(Span<byte> pixels)
    {
        while (_end < Height)
        {
            var rows = Math.Min(_stripRows, Height - _end);
            Fetch(rows).CopyTo(pixels[(_end * _stride)..]);
            _first = _end += rows;
        }
    }

    /// <summary>Decodes the remaining rows: a damaged file is a fault, not half an image.</summary>
    public void ReadToEnd()
    {
        if (_end < Height)
        {
            Rows(Height - 1, 1);
        }
    }

    public void Dispose()
    {
        _registration.Dispose();
        _region.Dispose();
        _whole?.Dispose();
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
        while (_end < first + count)
        {
            var rows = Math.Min(_stripRows, Height - _end);
            Fetch(rows).CopyTo(_window, (_end - _first) * _stride);
            _end += rows;
        }
    }

    private byte[] Fetch(int rows)
    {
        _cancellation.ThrowIfCancellationRequested();
        try
        {
            return _region.Fetch(0, _end, Width, rows);
        }
        catch (VipsException e)
        {
            _cancellation.ThrowIfCancellationRequested();
            throw ImageRules.Malformed(_format, e);
        }
    }
}
