namespace Embeddings.Core.Imaging;

/// <summary>Positions of the rows in raw pixels, in bytes.</summary>
/// <param name="RowBytes">Bytes of a row of pixels, or of luma.</param>
/// <param name="Stride">Bytes from one such row to the next.</param>
/// <param name="Height">Number of such rows.</param>
/// <param name="ChromaPlanes">Number of planes of chroma: 0, 1 (pairs of Cb and Cr), or 2 (Cb, then Cr).</param>
/// <param name="ChromaRowBytes">Bytes of a row of such a plane.</param>
/// <param name="ChromaStride">Bytes from one such row to the next.</param>
internal readonly record struct PixelPlanes(
    int RowBytes, long Stride, int Height, int ChromaPlanes, int ChromaRowBytes, long ChromaStride)
{
    /// <summary>Largest stride, bytes.</summary>
    public const int MaxStride = 1 << 20;

    private int ChromaRows => (Height + 1) / 2;

    /// <summary>Bytes of all rows with what is after their pixels.</summary>
    public long Length => (Stride * Height) + (ChromaPlanes * ChromaStride * ChromaRows);

    /// <summary>Bytes of all rows if the last one ends with its pixels.</summary>
    public long ShortestLength =>
        Length - (ChromaPlanes == 0 ? Stride - RowBytes : ChromaStride - ChromaRowBytes);

    /// <summary>Smallest stride that holds a row of each plane.</summary>
    public int SmallestStride => ChromaPlanes == 1 ? Math.Max(RowBytes, ChromaRowBytes) : RowBytes;

    /// <summary>The planes of an image of at least 1 x 1 pixels and a known format, whatever its data.</summary>
    public static PixelPlanes Of(in ImageInput image)
    {
        var row = checked(image.Width * BytesPerPixel(image.Format));
        long stride = image.RowStride == 0 ? row : image.RowStride;
        var half = (image.Width + 1) / 2;
        return image.Format switch
        {
            PixelFormat.Nv12 => new(row, stride, image.Height, 1, 2 * half, image.RowStride == 0 ? 2 * half : stride),
            PixelFormat.I420 => new(row, stride, image.Height, 2, half, image.RowStride == 0 ? half : (stride + 1) / 2),
            _ => new(row, stride, image.Height, 0, 0, 0),
        };
    }

    /// <summary>Position of a row of pixels or luma.</summary>
    public int Row(int y) => (int)(y * Stride);

    /// <summary>Position of the row of chroma that belongs to row <paramref name="y"/> of luma.</summary>
    public int ChromaRow(int plane, int y) =>
        (int)((Stride * Height) + (plane * ChromaStride * ChromaRows) + (y / 2 * ChromaStride));

    /// <summary>Bytes per pixel of a row; of luma for the formats with planes.</summary>
    private static int BytesPerPixel(PixelFormat format) => format switch
    {
        PixelFormat.Rgb8 or PixelFormat.Bgr8 => 3,
        PixelFormat.Rgba8 or PixelFormat.Bgra8 => 4,
        PixelFormat.RgbF32 or PixelFormat.BgrF32 => 3 * sizeof(float),
        _ => 1,
    };
}

/// <summary>
/// Raw pixels in the form that the rest of the imaging works with: rows of RGB, BGR or gray bytes without gaps, or of floats.
/// The image must have been checked (<see cref="ImageRules"/>).
/// </summary>
internal readonly struct RawPixels
{
    private readonly ReadOnlyMemory<byte> _data;
    private readonly PixelPlanes _planes;
    private readonly YuvColors _colors;
    private readonly PixelFormat _from;
    private readonly int _width;

    public RawPixels(in ImageInput image)
    {
        _data = image.Data;
        _planes = PixelPlanes.Of(image);
        _from = image.Format;
        _width = image.Width;
        _colors = _planes.ChromaPlanes > 0 ? YuvColors.Of(image.YuvMatrix, image.YuvRange) : default;
        (Format, PixelBytes) = image.Format switch
        {
            PixelFormat.Gray8 => (PixelFormat.Gray8, 1),
            PixelFormat.RgbF32 or PixelFormat.BgrF32 => (image.Format, 3 * sizeof(float)),
            PixelFormat.Bgr8 or PixelFormat.Bgra8 => (PixelFormat.Bgr8, 3),
            _ => (PixelFormat.Rgb8, 3),
        };
    }

    /// <summary>Format of the rows: RGB8, BGR8 or GRAY8, or that of the floats.</summary>
    public PixelFormat Format { get; }

    /// <summary>Bytes per pixel of the rows.</summary>
    public int PixelBytes { get; }

    /// <summary>True if the data is such rows already.</summary>
    public bool IsPlain => _from == Format && _planes.Stride == _planes.RowBytes;

    /// <summary>Writes <paramref name="count"/> rows from <paramref name="first"/> on.</summary>
    public void CopyTo(int first, int count, Span<byte> rows)
    {
        var length = _width * PixelBytes;
        var data = _data.Span;
        for (var i = 0; i < count; i++)
        {
            var row = data.Slice(_planes.Row(first + i), _planes.RowBytes);
            var target = rows.Slice(i * length, length);
            switch (_from)
            {
                case PixelFormat.Rgba8 or PixelFormat.Bgra8:
                    AlphaBlend.OntoBlack(row, target);
                    break;
                case PixelFormat.Nv12:
                    _colors.FromPairs(row, Chroma(data, 0, first + i), target);
                    break;
                case PixelFormat.I420:
                    _colors.FromPlanes(row, Chroma(data, 0, first + i), Chroma(data, 1, first + i), target);
                    break;
                default:
                    row.CopyTo(target);
                    break;
            }
        }
    }

    private ReadOnlySpan<byte> Chroma(ReadOnlySpan<byte> data, int plane, int y) =>
        data.Slice(_planes.ChromaRow(plane, y), _planes.ChromaRowBytes);
}

/// <summary>
/// Eight-bit raw pixels, read from top to bottom: the request's own memory if it has the right form, else converted row by row
/// while they are read. The image must have been checked (<see cref="ImageRules"/>).
/// </summary>
internal sealed class RawRows : RowWindow
{
    private readonly RawPixels _pixels;
    private readonly ReadOnlyMemory<byte> _plain;

    private RawRows(RawPixels pixels, in ImageInput image)
        : base(image.Width, image.Height, pixels.PixelBytes)
    {
        _pixels = pixels;
        _plain = pixels.IsPlain ? image.Data : default;
    }

    /// <summary>RGB8, BGR8 or GRAY8.</summary>
    public PixelFormat Format => _pixels.Format;

    public static RawRows Of(in ImageInput image) => new(new(image), image);

    public override ReadOnlySpan<byte> Rows(int first, int count) => _plain.IsEmpty
        ? base.Rows(first, count)
        : _plain.Span.Slice(first * Width * Channels, count * Width * Channels);

    protected override void Read(int first, int count, Span<byte> rows) => _pixels.CopyTo(first, count, rows);
}
