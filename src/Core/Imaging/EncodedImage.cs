using System.Globalization;
using Embeddings.Primitives;
using NetVips;

namespace Embeddings.Core.Imaging;

/// <summary>
/// An encoded file of which the header has been read and found within the limits. A header claims what it likes (a PNG of 177 bytes can claim
/// 60,000 x 60,000 pixels), so that nothing is decoded before.
/// </summary>
internal sealed class EncodedImage : IDisposable
{
    // CMYK and transparency.
    private const int MostBands = 5;

    private readonly ReadOnlyMemory<byte> _data;
    private readonly FileFormat _format;
    private readonly Image _header;

    private EncodedImage(ReadOnlyMemory<byte> data, FileFormat format, Image header)
    {
        (_data, _format, _header) = (data, format, header);
        Orientation = Orientation.Of(header);
        (Width, Height) = Orientation.Transposes ? (header.Height, header.Width) : (header.Width, header.Height);
    }

    /// <summary>Width in pixels once the picture is upright.</summary>
    public int Width { get; }

    /// <summary>Height in pixels once the picture is upright.</summary>
    public int Height { get; }

    public Orientation Orientation { get; }

    /// <summary>Whether <see cref="Decode"/> can do with a half, a fourth or an eighth of the pixels.</summary>
    public bool CanShrink => _format == FileFormat.Jpeg;

    public static EncodedImage Open(ReadOnlyMemory<byte> data, ImagingOptions options)
    {
        var format = ImageSniffer.Sniff(data.Span);
        if (format == FileFormat.Unknown)
        {
            throw ImageFaults.UnknownFormat();
        }
        Image? header = null;
        try
        {
            header = Load(data, 1, Enums.Access.Sequential);
            ImageFaults.CheckSize(header.Width, header.Height, options, ImageFaults.Encoded);
            return header.Bands <= MostBands
                ? new EncodedImage(data, format, header)
                : throw Fault.Invalid(Reasons.ImageMalformed, ImageFaults.Encoded, $"The file has {header.Bands} channels; at most {MostBands} can be shown.");
        }
        catch (VipsException e)
        {
            header?.Dispose();
            throw ImageFaults.Malformed(format, e);
        }
        catch
        {
            header?.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Decodes, lays over black and turns upright, row by row as they are read; <paramref name="shrink"/> is 1, 2, 4 or 8. The rows outlive this.
    /// </summary>
    public DecodedRows Decode(int shrink)
    {
        try
        {
            // A picture that is to be turned is not wanted from top to bottom, as a sequential one has to be.
            if (shrink == 1 && Orientation.IsUpright)
            {
                return ToRows(_header);
            }
            using var image = Load(_data, shrink, Orientation.IsUpright ? Enums.Access.Sequential : Enums.Access.Random);
            return ToRows(image);
        }
        catch (VipsException e)
        {
            throw ImageFaults.Malformed(_format, e);
        }
    }

    public void Dispose() => _header.Dispose();

    private static Image Load(ReadOnlyMemory<byte> data, int shrink, Enums.Access access) =>
        Image.NewFromBuffer(data.Span, shrink == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"[shrink={shrink}]"), access, Enums.FailOn.Error);

    private DecodedRows ToRows(Image loaded)
    {
        // No operation that changes nothing: each costs as much as thousands of pixels.
        var gray = loaded.Interpretation is Enums.Interpretation.Bw or Enums.Interpretation.Grey16 || loaded.Bands < 3;
        var (space, bands) = gray ? (Enums.Interpretation.Bw, 1) : (Enums.Interpretation.Srgb, 3);
        var image = loaded;
        using var standard = image.Interpretation == space && image.Format == Enums.BandFormat.Uchar ? null : image.Colourspace(space);
        image = standard ?? image;
        using var opaque = image.HasAlpha() ? image.Flatten() : null;
        image = opaque ?? image;
        using var colours = image.Bands == bands ? null : image.ExtractBand(0, n: bands);
        image = colours ?? image;
        using var bytes = image.Format == Enums.BandFormat.Uchar ? null : image.Cast(Enums.BandFormat.Uchar);
        image = bytes ?? image;
        using var upright = Orientation.IsUpright ? null : image.Autorot();
        return new DecodedRows(upright ?? image, _format);
    }
}
