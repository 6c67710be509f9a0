using System.Numerics;

namespace Embeddings.Cli.Sampling;

/// <summary>
/// A picture as layers of shapes, the later over the earlier. It has no pixels of its own: <see cref="Render"/> looks at any part of it at any size, so
/// that a crop or another scale is a picture taken anew and not a picture resized.
/// </summary>
/// <param name="background">What is behind all shapes.</param>
internal sealed class Drawing(Func<Vector2, Vector3> background)
{
    private readonly List<(Func<Vector2, float> Shape, Func<Vector2, Vector3> Paint, float Opacity)> _layers = [];

    public Drawing Add(Func<Vector2, float> shape, Func<Vector2, Vector3> paint, float opacity = 1)
    {
        _layers.Add((shape, paint, opacity));
        return this;
    }

    public Drawing Add(Func<Vector2, float> shape, Vector3 color, float opacity = 1) => Add(shape, _ => color, opacity);

    /// <summary>Takes the picture: RGB, three bytes a pixel, row by row.</summary>
    public byte[] Render(View view, Light light)
    {
        var pixels = new byte[view.PixelWidth * view.PixelHeight * 3];
        var pixel = view.Width / view.PixelWidth;
        Parallel.For(0, view.PixelHeight, y =>
        {
            for (var x = 0; x < view.PixelWidth; x++)
            {
                var at = view.Origin + (new Vector2(x + 0.5f, y + 0.5f) * pixel);
                var color = light.On(ColorAt(at, pixel), (x + 0.5f) / view.PixelWidth, (y + 0.5f) / view.PixelHeight);
                var offset = ((y * view.PixelWidth) + x) * 3;
                pixels[offset] = ToByte(color.X);
                pixels[offset + 1] = ToByte(color.Y);
                pixels[offset + 2] = ToByte(color.Z);
            }
        });
        return pixels;
    }

    private Vector3 ColorAt(Vector2 at, float pixel)
    {
        var color = background(at);
        foreach (var (shape, paint, opacity) in _layers)
        {
            // A pixel on the edge is covered in part: smooth edges at every size.
            var cover = Math.Clamp(0.5f - (shape(at) / pixel), 0, 1) * opacity;
            if (cover > 0)
            {
                color = Vector3.Lerp(color, paint(at), cover);
            }
        }
        return color;
    }

    private static byte ToByte(float channel) => (byte)(Math.Clamp(channel, 0, 1) * 255 + 0.5f);
}
