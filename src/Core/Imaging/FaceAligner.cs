namespace Embeddings.Core.Imaging;

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
    public static void Align<TRows>(TRows source, Landmarks landmarks, Span<byte> crop, int width, int height)
        where TRows : IPixelRows, allows ref struct
    {
        var back = FaceTemplate.Transform(landmarks, width, height).Inverse;
        var channels = source.Channels;
        var face = FaceRows(source, back, width, height);
        for (var y = 0; y < height; y++)
        {
            var row = crop.Slice(y * width * channels, width * channels);
            for (var x = 0; x < width; x++)
            {
                Sample(face, back.A * x - back.B * y + back.X, back.B * x + back.A * y + back.Y, row.Slice(x * channels, channels));
            }
        }
    }

    // The rows that the crop's corners span, and two more: each pixel has a neighbour below, and sums of doubles are rounded.
    private static PixelBand FaceRows<TRows>(TRows source, SimilarityTransform back, int width, int height)
        where TRows : IPixelRows, allows ref struct
    {
        var (right, down) = (back.B * (width - 1), back.A * (height - 1));
        var highest = back.Y + Math.Min(right, 0) + Math.Min(down, 0);
        var lowest = back.Y + Math.Max(right, 0) + Math.Max(down, 0);
        var top = (int)Math.Clamp(Math.Floor(highest) - 1, 0, source.Height - 1);
        var end = (int)Math.Clamp(Math.Floor(lowest) + 3, top + 1, source.Height);
        return new(source.Rows(top, end - top), top, source.Width, source.Height, source.Channels);
    }

    private static void Sample(in PixelBand source, double x, double y, Span<byte> pixel)
    {
        // Written so that NaN is outside too.
        if (!(x > -1 && y > -1 && x < source.Width && y < source.Height))
        {
            pixel.Clear();
            return;
        }
        var (left, top) = ((int)Math.Floor(x), (int)Math.Floor(y));
        var (right, down) = ((float)(x - left), (float)(y - top));
        var channels = pixel.Length;
        if (left >= 0 && top >= 0 && left + 1 < source.Width && top + 1 < source.Height)
        {
            var upper = source.Pixels(left, top, 2);
            var lower = source.Pixels(left, top + 1, 2);
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

    private static byte At(in PixelBand source, int x, int y, int channel) =>
        (uint)x < (uint)source.Width && (uint)y < (uint)source.Height ? source.Pixels(x, y, 1)[channel] : (byte)0;

    private static byte Mix(float topLeft, float topRight, float bottomLeft, float bottomRight, float right, float down)
    {
        var top = topLeft + (topRight - topLeft) * right;
        var bottom = bottomLeft + (bottomRight - bottomLeft) * right;
        return (byte)(top + (bottom - top) * down + 0.5f);
    }
}
