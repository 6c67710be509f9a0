using System.Numerics;

namespace Embeddings.Core.Imaging;

/// <summary>
/// Warps a face onto the ArcFace template (insightface, <c>face_align.py</c>). Plain bilinear sampling of the full image with a
/// black border, as <c>cv2.warpAffine</c> does and as the crops that face models were trained on were made; smoothing a large
/// face first would be cleaner, but would give other vectors.
/// </summary>
internal static class FaceAligner
{
    /// <summary>Width and height of the template, pixels.</summary>
    public const int TemplateSide = 112;

    private static readonly Vector2[] Template =
    [
        new(38.2946f, 51.6963f),
        new(73.5318f, 51.5014f),
        new(56.0252f, 71.7366f),
        new(41.5493f, 92.3655f),
        new(70.7299f, 92.2041f),
    ];

    /// <summary>
    /// The transform from the pixels of the image to those of a crop of this size: the template is scaled to the shorter side
    /// and centered along the longer.
    /// </summary>
    public static SimilarityTransform TransformTo(int width, int height, Landmarks landmarks)
    {
        Span<Vector2> from = stackalloc Vector2[5];
        Span<Vector2> to = stackalloc Vector2[5];
        landmarks.CopyTo(from);
        var shorter = Math.Min(width, height);
        var shift = new Vector2(width - shorter, height - shorter) / 2;
        for (var i = 0; i < to.Length; i++)
        {
            to[i] = Template[i] * shorter / TemplateSide + shift;
        }
        return SimilarityTransform.Estimate(from, to);
    }

    /// <summary>
    /// Root mean square distance between the template's points and the landmarks after <paramref name="transform"/>, their
    /// transform to a crop of the template's size, in pixels of the template. Large for landmarks that are a mirror image of
    /// a face, which no transform undoes.
    /// </summary>
    public static double Residual(Landmarks landmarks, SimilarityTransform transform)
    {
        Span<Vector2> points = stackalloc Vector2[5];
        landmarks.CopyTo(points);
        double sum = 0;
        for (var i = 0; i < points.Length; i++)
        {
            var x = transform.A * points[i].X - transform.B * points[i].Y + transform.X - Template[i].X;
            var y = transform.B * points[i].X + transform.A * points[i].Y + transform.Y - Template[i].Y;
            sum += x * x + y * y;
        }
        return Math.Sqrt(sum / points.Length);
    }

    /// <summary>Writes the aligned crop.</summary>
    /// <param name="source">The upright image at full resolution.</param>
    /// <param name="landmarks">Landmarks in its pixels; (0, 0) is the center of the first.</param>
    /// <param name="crop">width x height x channels bytes.</param>
    /// <param name="width">Width of the crop, pixels.</param>
    /// <param name="height">Height of the crop, pixels.</param>
    public static void Align<TRows>(TRows source, Landmarks landmarks, Span<byte> crop, int width, int height)
        where TRows : IPixelRows, allows ref struct
    {
        var back = TransformTo(width, height, landmarks).Inverse;
        var channels = source.Channels;
        var face = FaceRows(source, back, width, height);
        for (var y = 0; y < height; y++)
        {
            var row = crop.Slice(y * width * channels, width * channels);
            for (var x = 0; x < width; x++)
            {
                var sourceX = back.A * x - back.B * y + back.X;
                var sourceY = back.B * x + back.A * y + back.Y;
                Sample(face, sourceX, sourceY, row.Slice(x * channels, channels));
            }
        }
    }

    // The rows that the crop's corners span, and two more: each pixel has a neighbour below, and sums of doubles are
    // rounded.
    private static PixelBand FaceRows<TRows>(TRows source, SimilarityTransform back, int width, int height)
        where TRows : IPixelRows, allows ref struct
    {
        var right = back.B * (width - 1);
        var down = back.A * (height - 1);
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
        var left = (int)Math.Floor(x);
        var top = (int)Math.Floor(y);
        var right = (float)(x - left);
        var down = (float)(y - top);
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
                At(source, left, top, c),
                At(source, left + 1, top, c),
                At(source, left, top + 1, c),
                At(source, left + 1, top + 1, c),
                right,
                down);
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

    /// <summary>Some rows of an image, addressed by the coordinates of the image.</summary>
    /// <param name="rows">The rows from <paramref name="top"/> on.</param>
    /// <param name="top">The first row.</param>
    /// <param name="width">Width of the image, pixels.</param>
    /// <param name="height">Height of the image, pixels.</param>
    /// <param name="channels">1 or 3.</param>
    private readonly ref struct PixelBand(ReadOnlySpan<byte> rows, int top, int width, int height, int channels)
    {
        private readonly ReadOnlySpan<byte> _rows = rows;

        public int Width { get; } = width;

        public int Height { get; } = height;

        /// <summary><paramref name="count"/> pixels of row <paramref name="y"/> from <paramref name="x"/> on.</summary>
        public ReadOnlySpan<byte> Pixels(int x, int y, int count) =>
            _rows.Slice(((y - top) * Width + x) * channels, count * channels);
    }
}
