using Embeddings.Testing;
using NetVips;

namespace Embeddings.Core.Tests.Models;

/// <summary>A picture in memory, RGB 0 to 255, with what light, crop, scale and JPEG do to it.</summary>
internal sealed class Picture(int width, int height, float[] rgb)
{
    public float[] Rgb => rgb;

    public static Picture Draw(int width, int height, Func<double, double, (double R, double G, double B)> at)
    {
        // 2 x 2 samples a pixel, so that edges are soft as in a photograph.
        var rgb = new float[width * height * 3];
        for (var i = 0; i < width * height * 4; i++)
        {
            var (pixel, sub) = (i / 4, i % 4);
            var (r, g, b) = at(((pixel % width) + ((sub % 2) / 2.0) + 0.25) / width, ((pixel / width) + ((sub / 2) / 2.0) + 0.25) / height);
            rgb[pixel * 3] += (float)(Math.Clamp(r, 0, 1) * 255 / 4);
            rgb[(pixel * 3) + 1] += (float)(Math.Clamp(g, 0, 1) * 255 / 4);
            rgb[(pixel * 3) + 2] += (float)(Math.Clamp(b, 0, 1) * 255 / 4);
        }
        return new(width, height, rgb);
    }

    public static Picture Read(string path)
    {
        using var file = Image.ThumbnailBuffer(File.ReadAllBytes(path), 224, height: 224, size: Enums.Size.Force);
        using var color = file.Colourspace(Enums.Interpretation.Srgb);
        using var three = color.Bands > 3 ? color.Flatten() : color.Copy();
        return new(three.Width, three.Height, [.. three.WriteToMemory<byte>().Select(b => (float)b)]);
    }

    public Picture Light(double gain, double offset, double gamma) =>
        new(width, height, [.. rgb.Select(v => (float)Math.Clamp((Math.Pow(v / 255, gamma) * 255 * gain) + offset, 0, 255))]);

    /// <summary>Cuts away parts of the sides, 0 to 1 of the width and height.</summary>
    public Picture Crop(double left, double top, double right, double bottom) => Resample(left, top, 1 - right, 1 - bottom, width, height);

    public Picture Resize(int toWidth, int toHeight) => Resample(0, 0, 1, 1, toWidth, toHeight);

    public Picture Jpeg(int quality)
    {
        using var image = Image.NewFromMemory([.. rgb.Select(v => (byte)Math.Clamp(v + 0.5f, 0, 255))], width, height, 3, Enums.BandFormat.Uchar);
        using var back = Image.NewFromBuffer(image.JpegsaveBuffer(q: quality));
        return new(width, height, [.. back.WriteToMemory<byte>().Select(b => (float)b)]);
    }

    // Bilinear, averaging over the pixels each new one covers when it shrinks.
    private Picture Resample(double x0, double y0, double x1, double y1, int toWidth, int toHeight)
    {
        var (stepX, stepY) = ((x1 - x0) * width / toWidth, (y1 - y0) * height / toHeight);
        var (tapsX, tapsY) = ((int)Math.Ceiling(stepX), (int)Math.Ceiling(stepY));
        var to = new float[toWidth * toHeight * 3];
        for (var i = 0; i < toWidth * toHeight; i++)
        {
            for (var t = 0; t < tapsX * tapsY; t++)
            {
                var x = (x0 * width) + (((i % toWidth) + ((t % tapsX) + 0.5) / tapsX) * stepX) - 0.5;
                var y = (y0 * height) + (((i / toWidth) + ((t / tapsX) + 0.5) / tapsY) * stepY) - 0.5;
                for (var c = 0; c < 3; c++)
                {
                    to[(i * 3) + c] += At(x, y, c) / (tapsX * tapsY);
                }
            }
        }
        return new(toWidth, toHeight, to);
    }

    private float At(double x, double y, int channel)
    {
        x = Math.Clamp(x, 0, width - 1);
        y = Math.Clamp(y, 0, height - 1);
        var (left, top) = ((int)x, (int)y);
        var (right, bottom) = (Math.Min(left + 1, width - 1), Math.Min(top + 1, height - 1));
        var (fx, fy) = ((float)(x - left), (float)(y - top));
        float Value(int px, int py) => rgb[(((py * width) + px) * 3) + channel];
        var above = ((1 - fx) * Value(left, top)) + (fx * Value(right, top));
        var below = ((1 - fx) * Value(left, bottom)) + (fx * Value(right, bottom));
        return ((1 - fy) * above) + (fy * below);
    }
}
