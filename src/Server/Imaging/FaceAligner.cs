namespace Embeddings.Server.Imaging;

/// <summary>
/// Warps a face onto the template. Plain bilinear sampling of the full picture with a black border, as <c>cv2.warpAffine</c> does and as the crops that face
/// models were trained on were made; to smooth a large face before would be cleaner and would give other vectors.
/// </summary>
internal static class FaceAligner
{
    /// <param name="source">The upright picture at full resolution.</param>
    /// <param name="landmarks">In its pixels; (0, 0) is the middle of the first.</param>
    /// <param name="crop">width x height x channels bytes.</param>
    /// <param name="width">Of the crop, pixels.</param>
    /// <param name="height">Of the crop, pixels.</param>
    public static void Align(PixelView source, Landmarks landmarks, Span<byte> crop, int width, int height)
    {
        var back = FaceTemplate.Transform(landmarks, width, height).Inverse;
        var channels = source.Channels;
        for (var y = 0; y < height; y++)
        {
            var row = crop.Slice(y * width * channels, width * channels);
            for (var x = 0; x < width; x++)
            {
                Sample(source, back.A * x - back.B * y + back.X, back.B * x + back.A * y + back.Y, row.Slice(x * channels, channels));
            }
        }
    }

    private static void Sample(PixelView source, double x, double y, Span<byte> pixel)
    {
        // Written so that NaN is outside too.
        if (!(x > -1 && y > -1 && x < source.Width && y < source.Height))
        {
            pixel.Clear();
            return;
        }
        var (left, top) = ((int)Math.Floor(x), (int)Math.Floor(y));
        var (right, down) = ((float)(x - left), (float)(y - top));
        var (channels, stride) = (pixel.Length, source.Stride);
        var pixels = source.Pixels;
        if (left >= 0 && top >= 0 && left + 1 < source.Width && top + 1 < source.Height)
        {
            var upper = pixels.Slice(top * stride + left * channels, 2 * channels);
            var lower = pixels.Slice((top + 1) * stride + left * channels, 2 * channels);
            for (var c = 0; c < channels; c++)
            {
                pixel[c] = Mix(upper[c], upper[c + channels], lower[c], lower[c + channels], right, down);
            }
            return;
        }
        for (var c = 0; c < channels; c++)
        {
            pixel[c] = Mix(
                At(source, left, top, c), At(source, left + 1, top, c), At(source, left, top + 1, c), At(source, left + 1, top + 1, c), right, down);
        }
    }

    private static byte At(PixelView source, int x, int y, int channel) =>
        (uint)x < (uint)source.Width && (uint)y < (uint)source.Height ? source.Pixels[y * source.Stride + x * source.Channels + channel] : (byte)0;

    private static byte Mix(float topLeft, float topRight, float bottomLeft, float bottomRight, float right, float down)
    {
        var top = topLeft + (topRight - topLeft) * right;
        var bottom = bottomLeft + (bottomRight - bottomLeft) * right;
        return (byte)(top + (bottom - top) * down + 0.5f);
    }
}
