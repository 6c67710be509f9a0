using System.Buffers.Binary;
using NetVips;

namespace Embeddings.Core.Imaging;

/// <summary>
/// The embedded ICC profile of an RGB or gray image. A profile that is damaged or belongs to another kind of image is
/// ignored, and so is one that is sRGB itself.
/// </summary>
internal static class ColorProfile
{
    private const string Field = "icc-profile-data";

    // Profiles of cameras and scanners have at most about 1 MB.
    private const int MaxBytes = 4 * 1024 * 1024;
    private const int HeaderBytes = 128;
    private const int TagBytes = 12;
    private const int Samples = 32;

    // One step of 8 bits.
    private const double CurveTolerance = 1.0 / 255;
    private const double PrimaryTolerance = 0.001;

    // XYZ of sRGB's red, green and blue, adapted to D50.
    private static readonly (string Tag, double X, double Y, double Z)[] Primaries =
    [
        ("rXYZ", 0.4361, 0.2225, 0.0139),
        ("gXYZ", 0.3851, 0.7169, 0.0971),
        ("bXYZ", 0.1431, 0.0606, 0.7141),
    ];

    /// <summary>True if the image has a profile from which its colors must be converted to sRGB.</summary>
    public static bool IsForeign(Image image, bool isGray)
    {
        if (!image.Contains(Field) || image.Get(Field) is not byte[] profile)
        {
            return false;
        }
        return profile.Length is > HeaderBytes + 4 and <= MaxBytes
            && profile.AsSpan(36).StartsWith("acsp"u8)
            && profile.AsSpan(16).StartsWith(isGray ? "GRAY"u8 : "RGB "u8)
            && !IsStandard(profile, isGray);
    }

    /// <summary>Converts to sRGB, or gray on the same scale, of 8 bits; null if the profile cannot be used.</summary>
    public static Image? ToStandard(Image image, bool isGray)
    {
        Image? converted = null;
        try
        {
            // If it cannot use the embedded profile, libvips takes one of its own and only warns.
            var isIgnored = Vips.Warns(() => converted = image.IccTransform(
                isGray ? "sgrey" : "srgb", intent: Enums.Intent.Perceptual, embedded: true));
            if (!isIgnored)
            {
                return converted;
            }
        }
        catch (VipsException)
        {
            // The colors are used as they are.
        }
        converted?.Dispose();
        return null;
    }

    private static bool IsStandard(ReadOnlySpan<byte> profile, bool isGray)
    {
        if (!profile[20..].StartsWith("XYZ "u8) || Tag(profile, "A2B0") is not [])
        {
            return false;
        }
        if (isGray)
        {
            return IsStandardCurve(Tag(profile, "kTRC"));
        }
        foreach (var (tag, x, y, z) in Primaries)
        {
            var value = Tag(profile, tag);
            if (value.Length < 20
                || Math.Abs(Fixed(value[8..]) - x) > PrimaryTolerance
                || Math.Abs(Fixed(value[12..]) - y) > PrimaryTolerance
                || Math.Abs(Fixed(value[16..]) - z) > PrimaryTolerance)
            {
                return false;
            }
        }
        return IsStandardCurve(Tag(profile, "rTRC"))
            && IsStandardCurve(Tag(profile, "gTRC"))
            && IsStandardCurve(Tag(profile, "bTRC"));
    }

    // Light of a curve, encoded as sRGB, is the curve's input if it is the curve of sRGB.
    private static bool IsStandardCurve(ReadOnlySpan<byte> curve)
    {
        for (var i = 1; i <= Samples; i++)
        {
            var x = (double)i / Samples;
            var light = Light(curve, x);
            var encoded = light <= 0.0031308 ? light * 12.92 : (1.055 * Math.Pow(light, 1 / 2.4)) - 0.055;
            if (!(Math.Abs(encoded - x) <= CurveTolerance))
            {
                return false;
            }
        }
        return true;
    }

    // NaN for a curve of another kind: such a profile is simply converted.
    private static double Light(ReadOnlySpan<byte> curve, double x)
    {
        if (curve.Length >= 12 && curve.StartsWith("curv"u8))
        {
            var count = BinaryPrimitives.ReadUInt32BigEndian(curve[8..]);
            if (count < 2 || count > (curve.Length - 12) / 2)
            {
                return double.NaN;
            }
            var position = x * (count - 1);
            var index = Math.Min((int)position, (int)count - 2);
            var entry = curve[(12 + (2 * index))..];
            var low = BinaryPrimitives.ReadUInt16BigEndian(entry);
            var high = BinaryPrimitives.ReadUInt16BigEndian(entry[2..]);
            return (low + ((high - low) * (position - index))) / ushort.MaxValue;
        }
        if (curve.Length >= 32 && curve.StartsWith("para"u8) && curve[9] is 3 or 4)
        {
            var (gamma, a, b, c, d) =
                (Fixed(curve[12..]), Fixed(curve[16..]), Fixed(curve[20..]), Fixed(curve[24..]), Fixed(curve[28..]));
            return x < d ? c * x : Math.Pow((a * x) + b, gamma);
        }
        return double.NaN;
    }

    private static ReadOnlySpan<byte> Tag(ReadOnlySpan<byte> profile, string name)
    {
        Span<byte> signature = stackalloc byte[4];
        System.Text.Encoding.ASCII.GetBytes(name, signature);
        var count = Math.Min(
            BinaryPrimitives.ReadUInt32BigEndian(profile[HeaderBytes..]), (profile.Length - HeaderBytes - 4) / TagBytes);
        for (var i = 0; i < count; i++)
        {
            var entry = profile.Slice(HeaderBytes + 4 + (i * TagBytes), TagBytes);
            if (entry.StartsWith(signature))
            {
                var offset = BinaryPrimitives.ReadUInt32BigEndian(entry[4..]);
                var size = BinaryPrimitives.ReadUInt32BigEndian(entry[8..]);
                return offset <= profile.Length && size <= profile.Length - offset
                    ? profile.Slice((int)offset, (int)size)
                    : [];
            }
        }
        return [];
    }

    private static double Fixed(ReadOnlySpan<byte> value) => BinaryPrimitives.ReadInt32BigEndian(value) / 65536.0;
}
