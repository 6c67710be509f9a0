using NetVips;

namespace Embeddings.Tooling.Imaging;

/// <summary>Pixels to JPEG: for the samples that the command draws and for tests. The service itself encodes nothing.</summary>
internal static class JpegEncoder
{
    private const int Channels = 3;

    /// <summary>A JPEG file.</summary>
    /// <param name="rgb">Red, green, blue, 0 to 255, row by row: 3 x <paramref name="width"/> x <paramref name="height"/> bytes.</param>
    /// <param name="width">Pixels, 1 or more.</param>
    /// <param name="height">Pixels, 1 or more.</param>
    /// <param name="quality">1 (small) to 100 (good).</param>
    public static byte[] Encode(ReadOnlySpan<byte> rgb, int width, int height, int quality)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(height);
        ArgumentOutOfRangeException.ThrowIfNotEqual((long)rgb.Length, (long)width * height * Channels, nameof(rgb));
        using var raw = Image.NewFromMemoryCopy(rgb, width, height, Channels, Enums.BandFormat.Uchar);
        using var image = raw.Copy(interpretation: Enums.Interpretation.Srgb);
        return image.JpegsaveBuffer(q: quality);
    }
}
