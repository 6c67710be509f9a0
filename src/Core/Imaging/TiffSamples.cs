using System.Globalization;
using Embeddings.Primitives;
using NetVips;

namespace Embeddings.Core.Imaging;

/// <summary>
/// Samples that do not have 8 or 16 bits, and CIELAB, which only TIFF files have. Integers keep their upper bits; floats
/// are encoded like sRGB and range from 0 (black) to 1 (white).
/// </summary>
internal static class TiffSamples
{
    private const ushort BitsTag = 258;
    private const ushort PhotometricTag = 262;
    private const ushort SamplesTag = 277;
    private const ushort Lab = 8;
    private const byte Rgb = 2;

    private const int MaxBits = 32;

    // Half a step of 8 bits: what an interpolation may add.
    private const double Tolerance = 0.5 / 255;

    /// <summary>Throws a fault if samples of this kind have no place on the scale 0 to 255.</summary>
    public static void Check(Image image)
    {
        var isCmyk = image.Interpretation == Enums.Interpretation.Cmyk;
        var isSupported = image.Format switch
        {
            Enums.BandFormat.Uchar or Enums.BandFormat.Ushort => true,
            Enums.BandFormat.Short => image.Interpretation == Enums.Interpretation.Labs,
            Enums.BandFormat.Uint or Enums.BandFormat.Float => !isCmyk,
            _ => false,
        };
        if (!isSupported)
        {
            throw Unsupported(
                $"The samples of the image must be unsigned integers, or floats from 0 to 1; got {Name(image)}. "
                    + "Save the image with 8 bits per sample.");
        }
    }

    /// <summary>Throws a fault if a file could not be opened because of the size of its samples.</summary>
    public static void CheckBits(ReadOnlySpan<byte> file)
    {
        if (TiffDirectory.TryFind(file, BitsTag, out var bits, out _) && bits > MaxBits)
        {
            throw Unsupported($"The samples of the image must have at most {MaxBits} bits; got {bits}.");
        }
    }

    /// <summary>True if the samples are floats on a scale from 0 to 1.</summary>
    public static bool AreFractions(Enums.BandFormat samples, Enums.Interpretation space) =>
        samples == Enums.BandFormat.Float && space is not (Enums.Interpretation.Lab or Enums.Interpretation.Xyz);

    /// <summary>Throws a fault if a float is not a number from 0 to 1. Reads all samples.</summary>
    public static void CheckFractions(Image image)
    {
        using var statistics = image.Stats();
        var lowest = statistics.Getpoint(0, 0)[0];
        var highest = statistics.Getpoint(1, 0)[0];
        var sum = statistics.Getpoint(2, 0)[0];
        if (double.IsNaN(sum) || lowest < -Tolerance || highest > 1 + Tolerance)
        {
            var found = double.IsNaN(sum)
                ? "NaN"
                : string.Create(CultureInfo.InvariantCulture, $"{lowest:G6} to {highest:G6}");
            throw Unsupported(
                $"The samples of a floating-point image must be from 0 (black) to 1 (white); got {found}. "
                    + "Scale them, or save the image with 8 bits per sample.");
        }
    }

    /// <summary>Scales 32-bit samples and floats to 16 bits.</summary>
    public static Image ToSixteenBits(Image image, bool isGray)
    {
        using var scaled = image.Format == Enums.BandFormat.Uint ? image >> 16 : image.Linear([65535.0], [0.5]);
        using var cast = scaled.Cast(Enums.BandFormat.Ushort);
        return cast.Copy(interpretation: isGray ? Enums.Interpretation.Grey16 : Enums.Interpretation.Rgb16);
    }

    /// <summary>Keeps the upper half of 16 bits, alike for colors, gray and transparency.</summary>
    public static Image ToEightBits(Image image, Enums.Interpretation space)
    {
        using var upper = image >> 8;
        using var cast = upper.Cast(Enums.BandFormat.Uchar);
        return cast.Copy(interpretation: space);
    }

    /// <summary>
    /// Copies a file of 8-bit CIELAB and marks it as RGB, because libvips cannot read CIELAB of 8 bits. Null for other
    /// files.
    /// </summary>
    public static byte[]? LabAsRgb(ReadOnlySpan<byte> file)
    {
        if (!TiffDirectory.TryFind(file, PhotometricTag, out var photometric, out var at)
            || photometric != Lab
            || !TiffDirectory.TryFind(file, BitsTag, out var bits, out _)
            || bits != 8
            || !TiffDirectory.TryFind(file, SamplesTag, out var samples, out _)
            || samples != 3)
        {
            return null;
        }
        var copy = file.ToArray();
        copy[copy[0] == 'I' ? at : at + 1] = Rgb;
        return copy;
    }

    /// <summary>Converts CIELAB to sRGB.</summary>
    /// <param name="image">CIELAB, or its bytes, of which two are signed.</param>
    public static Image FromLab(Image image)
    {
        using var lab = image.Format == Enums.BandFormat.Uchar ? LabOf(image) : image.Colourspace(Enums.Interpretation.Lab);
        return lab.IccExport(outputProfile: "srgb", pcs: Enums.PCS.Lab, intent: Enums.Intent.Perceptual);
    }

    private static Image LabOf(Image bytes)
    {
        using var light = bytes.ExtractBand(0);
        using var scaled = light.Linear([100.0 / 255], [0]);
        using var colors = bytes.ExtractBand(1, n: 2);
        using var shifted = colors ^ 128;
        using var signed = shifted.Linear([1], [-128]);
        using var joined = scaled.Bandjoin(signed);
        return joined.Copy(interpretation: Enums.Interpretation.Lab);
    }

    private static string Name(Image image) => image.Format switch
    {
        Enums.BandFormat.Char or Enums.BandFormat.Short or Enums.BandFormat.Int => "signed integers",
        Enums.BandFormat.Complex or Enums.BandFormat.Dpcomplex => "complex values",
        Enums.BandFormat.Double => "floats of 64 bits",
        _ => "CMYK of 32 bits",
    };

    private static Fault Unsupported(string message) =>
        Fault.Invalid(Reasons.ImageUnsupported, ImageRules.Encoded, message);
}
