using NetVips;

namespace Embeddings.Core.Imaging;

/// <summary>
/// An image that libvips decodes while it is read, upright, RGB or gray. Decoding a JPEG of 640x480 to a whole image in memory
/// would take half as long again.
/// </summary>
/// <remarks>
/// It decodes on the thread that reads. If libvips writes a whole image to memory, another thread does it and signals every
/// strip: half as much processor time again. A region belongs to a thread, so that an instance is created, read and disposed
/// on one.
/// </remarks>
internal sealed class DecodedRows : RowWindow
{
    private readonly Region _region;
    private readonly FileFormat _format;
    private readonly CancellationToken _cancellation;
    private readonly CancellationTokenRegistration _registration;
    private readonly Image? _whole;

    /// <param name="image">Unsigned bytes of one or three bands.</param>
    /// <param name="format">Format of the file, for faults.</param>
    /// <param name="whole">
    /// The image as loaded if libvips decodes all of it at the first read; disposed with this instance.
    /// </param>
    /// <param name="cancellationToken">Ends the decoding.</param>
    public DecodedRows(Image image, FileFormat format, Image? whole = null, CancellationToken cancellationToken = default)
        : base(image.Width, image.Height, image.Bands)
    {
        _format = format;
        _region = Region.New(image);
        _cancellation = cancellationToken;
        _whole = whole;
        if (whole is not null)
        {
            _registration = cancellationToken.UnsafeRegister(static state => ((Image)state!).SetKill(true), whole);
        }
    }

    /// <summary>Decodes the remaining rows: a damaged file is a fault, not half an image.</summary>
    public void ReadToEnd()
    {
        if (!IsAtEnd)
        {
            Rows(Height - 1, 1);
        }
    }

    public override void Dispose()
    {
        _registration.Dispose();
        _region.Dispose();
        _whole?.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    /// <remarks>Throws a fault if the file is damaged, and a cancellation between two strips.</remarks>
    protected override void Read(int first, int count, Span<byte> rows)
    {
        _cancellation.ThrowIfCancellationRequested();
        try
        {
            _region.Fetch(0, first, Width, count).CopyTo(rows);
        }
        catch (VipsException e)
        {
            _cancellation.ThrowIfCancellationRequested();
            throw ImageRules.Malformed(_format, e);
        }
    }
}
