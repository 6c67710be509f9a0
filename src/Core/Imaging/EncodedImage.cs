using System.Globalization;
using Embeddings.Primitives;
using NetVips;

namespace Embeddings.Core.Imaging;

/// <summary>
/// An encoded file whose header has been read and is within the limits. Nothing is decoded before that: a header may claim
/// anything, for example a PNG of 177 bytes 60,000 x 60,000 pixels.
/// </summary>
internal sealed class EncodedImage : IDisposable
{
    // CMYK and transparency.
    private const int MaxBands = 5;

    private readonly ReadOnlyMemory<byte> _data;
    private readonly FileFormat _format;
    private readonly Image _header;
    private readonly bool _isGray;
    private readonly bool _isLab;
    private readonly bool _areFractions;
    private readonly bool _isStandard;

    private EncodedImage(ReadOnlyMemory<byte> data, FileFormat format, Image header, bool isLab)
    {
        _data = data;
        _format = format;
        _header = header;

        // Every property of an image that libvips is asked for takes as long as some hundred pixels.
        var space = header.Interpretation;
        var samples = header.Format;
        var bands = header.Bands;
        _isGray = space is Enums.Interpretation.Bw or Enums.Interpretation.Grey16 || bands < 3;
        _isLab = isLab || (space is Enums.Interpretation.Lab or Enums.Interpretation.Labs && bands == 3);
        _areFractions = format == FileFormat.Tiff && TiffSamples.AreFractions(samples, space);
        ConvertsColors = !_isLab && ColorProfile.IsForeign(header, _isGray);
        _isStandard = !_isLab
            && !ConvertsColors
            && samples == Enums.BandFormat.Uchar
            && space == Space
            && bands == Bands;
        PixelBytes = bands * SampleBytes(samples);
        Orientation = Orientation.Of(header, format, data.Span);
        Width = Orientation.Transposes ? header.Height : header.Width;
        Height = Orientation.Transposes ? header.Width : header.Height;
        IsBuffered = IsWhole(format, header);
    }

    /// <summary>Width of the upright image, pixels.</summary>
    public int Width { get; }

    /// <summary>Height of the upright image, pixels.</summary>
    public int Height { get; }

    public Orientation Orientation { get; }

    public FileFormat Format => _format;

    /// <summary>True if the decoder needs the whole image in memory; others decode row by row.</summary>
    public bool IsBuffered { get; }

    /// <summary>Bytes of a decoded pixel.</summary>
    public int PixelBytes { get; }

    /// <summary>True if the file has an ICC profile from which the colors must be converted to sRGB.</summary>
    public bool ConvertsColors { get; }

    /// <summary>True if <see cref="Decode"/> can decode at a half, a fourth or an eighth of the size.</summary>
    public bool CanShrink => _format == FileFormat.Jpeg;

    private Enums.Interpretation Space => _isGray ? Enums.Interpretation.Bw : Enums.Interpretation.Srgb;

    private int Bands => _isGray ? 1 : 3;

    public static EncodedImage Open(ReadOnlyMemory<byte> data, ImagingOptions options)
    {
        var format = ImageSniffer.Sniff(data.Span);
        if (format == FileFormat.Unknown)
        {
            throw ImageRules.UnknownFormat();
        }
        Image? header = null;
        try
        {
            var isLab = false;
            try
            {
                header = Load(data, 1, Enums.Access.Sequential);
            }
            catch (VipsException) when (format == FileFormat.Tiff && TiffSamples.LabAsRgb(data.Span) is { } copy)
            {
                isLab = true;
                data = copy;
                header = Load(data, 1, Enums.Access.Sequential);
            }
            ImageRules.CheckSize(header.Width, header.Height, options, ImageRules.Encoded);
            if (IsWhole(format, header))
            {
                ImageRules.CheckBuffered(format, header.Width, header.Height, options);
            }
            if (header.Bands > MaxBands)
            {
                throw Fault.Invalid(
                    Reasons.ImageUnsupported,
                    ImageRules.Encoded,
                    $"The file must have at most {MaxBands} channels; got {header.Bands}.");
            }
            if (format == FileFormat.Tiff)
            {
                TiffSamples.Check(header);
            }
            return new EncodedImage(data, format, header, isLab);
        }
        catch (VipsException e)
        {
            header?.Dispose();
            if (format == FileFormat.Avif)
            {
                ImageRules.CheckAvif(AvifBoxes.Read(data.Span), options);
            }
            if (format == FileFormat.Tiff)
            {
                TiffSamples.CheckBits(data.Span);
            }
            throw ImageRules.Malformed(format, e);
        }
        catch
        {
            header?.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Decodes, flattens onto black and turns upright, row by row as they are read; <paramref name="shrink"/> is 1, 2, 4 or 8.
    /// The rows outlive this instance. A decoder of whole images ends at the cancellation if libvips calls it in steps.
    /// </summary>
    public DecodedRows Decode(int shrink, CancellationToken cancellationToken = default)
    {
        Image? whole = null;
        try
        {
            if (_areFractions)
            {
                using var samples = Load(_data, 1, Enums.Access.Sequential);
                TiffSamples.CheckFractions(samples);
            }

            // An image that has to be turned is not read from top to bottom, as sequential access requires.
            if (shrink == 1 && Orientation.IsUpright)
            {
                return ToRows(_header, null, cancellationToken);
            }
            if (Orientation.IsUpright)
            {
                using var image = Load(_data, shrink, Enums.Access.Sequential);
                return ToRows(image, null, cancellationToken);
            }
            whole = Load(_data, shrink, Enums.Access.Random);
            // libvips looks at the signal to end on this image only if it reports its progress.
            whole.SetProgress(true);
            return ToRows(whole, whole, cancellationToken);
        }
        catch (VipsException e)
        {
            whole?.Dispose();
            throw ImageRules.Malformed(_format, e);
        }
    }

    /// <summary>
    /// Decodes the remaining rows and closes the image. Throws a fault if the file is damaged, or if it lacks data that the
    /// decoder has replaced with gray.
    /// </summary>
    public void Complete(DecodedRows rows, CancellationToken cancellationToken = default)
    {
        rows.ReadToEnd();
        if (_format != FileFormat.Jpeg)
        {
            return;
        }
        var mayLackData = Vips.Warns(() =>
        {
            rows.Dispose();
            _header.Dispose();
        });
        if ((mayLackData && !JpegData.IsComplete(_data.Span, cancellationToken))
            || (IsBuffered && !JpegData.HasAllScans(_data.Span)))
        {
            throw ImageRules.Incomplete(Width, Height);
        }
    }

    public void Dispose() => _header.Dispose();

    private static Image Load(ReadOnlyMemory<byte> data, int shrink, Enums.Access access)
    {
        var options = shrink == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"[shrink={shrink}]");
        return Image.NewFromBuffer(data.Span, options, access, Enums.FailOn.Error);
    }

    private static bool IsWhole(FileFormat format, Image header) => format switch
    {
        FileFormat.Jpeg or FileFormat.Png => header.Contains("interlaced"),
        _ => true,
    };

    private static int SampleBytes(Enums.BandFormat format) => format switch
    {
        Enums.BandFormat.Uchar or Enums.BandFormat.Char => 1,
        Enums.BandFormat.Ushort or Enums.BandFormat.Short => 2,
        Enums.BandFormat.Uint or Enums.BandFormat.Int or Enums.BandFormat.Float => 4,
        _ => 16,
    };

    private DecodedRows ToRows(Image loaded, Image? whole, CancellationToken cancellationToken)
    {
        // Operations that would change nothing are left out: each costs as much as thousands of pixels.
        var image = loaded;
        using var standard = _isStandard ? null : ToStandard(image);
        image = standard ?? image;
        using var rotated = Orientation.Angle == Enums.Angle.D0 ? null : image.Rot(Orientation.Angle);
        image = rotated ?? image;
        using var flipped = Orientation.Flip is { } direction ? image.Flip(direction) : null;
        return new DecodedRows(flipped ?? image, _format, whole, cancellationToken);
    }

    // Converts to 8 bits of sRGB, or of gray on the same scale, on black.
    private Image ToStandard(Image loaded)
    {
        var image = loaded;
        using var colors = _isLab ? TiffSamples.FromLab(image) : null;
        image = colors ?? image;
        var isWide = _areFractions || image.Format == Enums.BandFormat.Uint;
        using var narrowed = isWide ? TiffSamples.ToSixteenBits(image, _isGray) : null;
        image = narrowed ?? image;
        using var converted = ConvertsColors ? ColorProfile.ToStandard(image, _isGray) : null;
        image = converted ?? image;
        var hasUpperBits = image.Interpretation is Enums.Interpretation.Rgb16 or Enums.Interpretation.Grey16;
        using var upper = hasUpperBits ? TiffSamples.ToEightBits(image, Space) : null;
        image = upper ?? image;
        using var standard = image.Interpretation == Space ? null : image.Colourspace(Space);
        image = standard ?? image;
        using var opaque = image.HasAlpha() ? image.Flatten() : null;
        image = opaque ?? image;
        using var visible = image.Bands == Bands ? null : image.ExtractBand(0, n: Bands);
        image = visible ?? image;
        return image.Cast(Enums.BandFormat.Uchar);
    }
}

/// <summary>Orientation of a stored image, EXIF tag 274; in a PNG file also from text that contains EXIF data.</summary>
/// <param name="Tag">1 to 8; 1 is upright.</param>
internal readonly record struct Orientation(int Tag)
{
    public bool IsUpright => Tag == 1;

    /// <summary>True if rows become columns.</summary>
    public bool Transposes => Tag >= 5;

    /// <summary>Clockwise rotation that, with the <see cref="Flip"/> after it, turns the stored image upright.</summary>
    public Enums.Angle Angle => Tag switch
    {
        3 => Enums.Angle.D180,
        5 or 6 or 7 => Enums.Angle.D90,
        8 => Enums.Angle.D270,
        _ => Enums.Angle.D0,
    };

    public Enums.Direction? Flip => Tag switch
    {
        2 or 5 => Enums.Direction.Horizontal,
        4 or 7 => Enums.Direction.Vertical,
        _ => null,
    };

    /// <summary>True if the stored image's top left corner is on the right of the upright image.</summary>
    public bool StartsRight => Tag is 2 or 3 or 6 or 7;

    /// <summary>True if the stored image's top left corner is at the bottom of the upright image.</summary>
    public bool StartsAtBottom => Tag is 3 or 4 or 7 or 8;

    public static Orientation Of(Image image, FileFormat format, ReadOnlySpan<byte> file)
    {
        if (image.Contains("orientation"))
        {
            return image.Get("orientation") is int tag and >= 1 and <= 8 ? new(tag) : new(1);
        }
        return new(format == FileFormat.Png ? PngText.Orientation(file) : 1);
    }
}
