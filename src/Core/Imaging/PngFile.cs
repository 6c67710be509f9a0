using NetVips;

namespace Embeddings.Core.Imaging;

/// <summary>Writes pixels as PNG files.</summary>
internal static class PngFile
{
    /// <summary>Encodes an image.</summary>
    /// <param name="rgb">width x height x 3 bytes: red, green, blue.</param>
    /// <param name="width">Width in pixels.</param>
    /// <param name="height">Height in pixels.</param>
    public static byte[] Encode(ReadOnlySpan<byte> rgb, int width, int height)
    {
        Vips.EnsureStarted();
        using var pixels = Image.NewFromMemoryCopy(rgb, width, height, 3, Enums.BandFormat.Uchar);
        using var image = pixels.Copy(interpretation: Enums.Interpretation.Srgb);
        return image.PngsaveBuffer();
    }
}
