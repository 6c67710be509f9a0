using System.Numerics;

namespace Embeddings.Cli.Sampling;

/// <summary>
/// A picture as layers of shapes, the later over the earlier. It has no pixels of its own: <see cref="Render"/> looks at any part of it at any size, so
/// that a crop or another scale is a picture taken anew and not a picture resized.
/// </summary>
/// <param name="background">What is behind all shapes.</param>
internal sealed class Drawing(Func<Vector2, Vector3> background)
{
    private const int TileSide = 8;

    // Shapes' distances are exact at their edges and may be too large far from them: so many times, for the steepest hill.
    private const float FarOff = 4;

    private readonly List<Layer> _layers = [];

    public Drawing Add(Func<Vector2, float> shape, Func<Vector2, Vector3> paint, float opacity = 1)
    {
        _layers.Add(new Layer(shape, paint, opacity));
        return this;
    }

    public Drawing Add(Func<Vector2, float> shape, Vector3 color, float opacity = 1) => Add(shape, _ => color, opacity);

    /// <summary>Takes the picture: RGB, three bytes a pixel, row by row.</summary>
    public byte[] Render(View view, Light light)
    {
        var pixels = new byte[view.PixelWidth * view.PixelHeight * 3];
        Parallel.For(0, (view.PixelHeight + TileSide - 1) / TileSide, row =>
        {
            for (var left = 0; left < view.PixelWidth; left += TileSide)
            {
                RenderTile(pixels, view, light, left, row * TileSide);
            }
        });
        return pixels;
    }

    // Tile by tile, since most shapes are far from most tiles.
    private void RenderTile(byte[] pixels, View view, Light light, int left, int top)
    {
        var pixel = view.Width / view.PixelWidth;
        var (width, height) = (Math.Min(TileSide, view.PixelWidth - left), Math.Min(TileSide, view.PixelHeight - top));
        var (center, half) = (view.Origin + (new Vector2(left + (width / 2f), top + (height / 2f)) * pixel), new Vector2(width, height).Length() / 2 * pixel);
        var near = _layers.Where(layer => layer.Shape(center) <= half * FarOff).ToArray();
        for (var y = top; y < top + height; y++)
        {
            for (var x = left; x < left + width; x++)
            {
                var at = view.Origin + (new Vector2(x + 0.5f, y + 0.5f) * pixel);
                var color = light.On(ColorAt(near, at, pixel), (x + 0.5f) / view.PixelWidth, (y + 0.5f) / view.PixelHeight);
                var offset = ((y * view.PixelWidth) + x) * 3;
                pixels[offset] = ToByte(color.X);
                pixels[offset + 1] = ToByte(color.Y);
                pixels[offset + 2] = ToByte(color.Z);
            }
        }
    }

    private Vector3 ColorAt(Layer[] layers, Vector2 at, float pixel)
    {
        var color = background(at);
        foreach (var layer in layers)
        {
            // A pixel on the edge is covered in part: smooth edges at every size.
            var cover = Math.Clamp(0.5f - (layer.Shape(at) / pixel), 0, 1) * layer.Opacity;
            if (cover > 0)
            {
                color = Vector3.Lerp(color, layer.Paint(at), cover);
            }
        }
        return color;
    }

    private static byte ToByte(float channel) => (byte)((Math.Clamp(channel, 0, 1) * 255) + 0.5f);
}
