using System.Globalization;
using Embeddings.Primitives;

namespace Embeddings.Core.Imaging;

/// <summary>What can be wrong with a picture, in words that tell the limit. libvips' own words stay inside: they may speak of another request's file.</summary>
internal static class ImageFaults
{
    public const string Encoded = "image.encoded";
    public const string Data = "image.pixels.data";
    public const string Width = "image.pixels.width";
    public const string Height = "image.pixels.height";
    public const string Format = "image.pixels.format";
    public const string Landmarks = "landmarks";

    // What one array of RGB bytes can hold.
    private static readonly long MostPixels = Array.MaxLength / 3;

    public static Fault UnknownFormat() =>
        Fault.Invalid(Reasons.ImageFormatUnknown, Encoded, "The bytes are none of JPEG, PNG, WebP, GIF, TIFF and AVIF.");

    public static Fault Malformed(FileFormat format, Exception inner) =>
        Fault.Invalid(Reasons.ImageMalformed, Encoded, $"The {Name(format)} file is damaged, cut off or of a kind that cannot be decoded.", inner);

    public static Fault BadLandmarks(string why) => Fault.Invalid(Reasons.LandmarksInvalid, Landmarks, why);

    /// <summary>A picture's sides and pixels against the limits. <paramref name="field"/> is the one at fault for the file or the pixels as a whole.</summary>
    public static void CheckSize(int width, int height, ImagingOptions options, string field)
    {
        if (width > options.MaxSide || height > options.MaxSide)
        {
            var side = field != Data ? field : width > options.MaxSide ? Width : Height;
            throw TooLarge(side, $"The picture is {width} x {height} pixels; the longest side may be {Text(options.MaxSide)}.");
        }
        var most = Math.Min(options.MaxPixels, MostPixels);
        if ((long)width * height > most)
        {
            throw TooLarge(field, $"The picture is {width} x {height} pixels, {Text((long)width * height)} in all; the limit is {Text(most)}.");
        }
    }

    public static Fault TooLarge(string field, string message) => Fault.Invalid(Reasons.ImageTooLarge, field, message);

    public static string Text(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static string Name(FileFormat format) => format == FileFormat.WebP ? "WebP" : format.ToString().ToUpperInvariant();
}
