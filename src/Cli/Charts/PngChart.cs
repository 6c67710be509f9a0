using System.Globalization;
using Embeddings.Tooling.Imaging;

namespace Embeddings.Cli.Charts;

/// <summary>A histogram as PNG, for chats and wikis that take no SVG.</summary>
internal static class PngChart
{
    private const int Width = 800;
    private const int Height = 400;
    private const int Margin = 30;
    private const int GlyphHeight = 5;
    private const int Scale = 2;

    // Digits, dot and minus in 3 x 5 dots, a row of three bits each: no font is there to rely on.
    private static readonly Dictionary<char, int[]> Glyphs = new()
    {
        ['0'] = [7, 5, 5, 5, 7],
        ['1'] = [2, 6, 2, 2, 7],
        ['2'] = [7, 1, 7, 4, 7],
        ['3'] = [7, 1, 7, 1, 7],
        ['4'] = [5, 5, 7, 1, 1],
        ['5'] = [7, 4, 7, 1, 7],
        ['6'] = [7, 4, 7, 5, 7],
        ['7'] = [7, 1, 1, 1, 1],
        ['8'] = [7, 5, 7, 5, 7],
        ['9'] = [7, 5, 7, 1, 7],
        ['.'] = [0, 0, 0, 0, 2],
        ['-'] = [0, 0, 7, 0, 0],
    };

    public static byte[] Draw(Histogram histogram, double threshold)
    {
        var pixels = new byte[3 * Width * Height];
        Array.Fill(pixels, (byte)255);
        var (plot, floor, bins) = (Width - (2 * Margin), Height - Margin, histogram.Same.Count);
        foreach (var (shares, color) in new[] { (histogram.Different, (200, 100, 30)), (histogram.Same, (30, 90, 200)) })
        {
            for (var bin = 0; bin < bins; bin++)
            {
                var height = (int)Math.Round(shares[bin] / histogram.Highest * (floor - Margin));
                Fill(pixels, Margin + (plot * bin / bins), floor - height, Margin + (plot * (bin + 1) / bins), floor, color, 0.6);
            }
        }
        Fill(pixels, Margin, floor, Width - Margin, floor + 1, (0, 0, 0), 1);
        for (var tick = Math.Round(histogram.Low, 1); tick <= histogram.High + 1e-9; tick += 0.1)
        {
            var x = Margin + (int)(plot * histogram.At(tick));
            Fill(pixels, x, floor, x + 1, floor + 5, (0, 0, 0), 1);
            Write(pixels, (tick + 0.0).ToString("0.0", CultureInfo.InvariantCulture), x - 10, floor + 8);
        }
        var at = Margin + (int)(plot * histogram.At(threshold));
        Fill(pixels, at, Margin, at + 1, floor, (0, 0, 0), 1);
        Write(pixels, threshold.ToString("0.000", CultureInfo.InvariantCulture), at - 18, Margin - 14);
        return PngEncoder.Encode(pixels, Width, Height);
    }

    private static void Write(byte[] pixels, string text, int left, int top)
    {
        foreach (var (glyph, i) in text.Select((c, i) => (Glyphs[c], i)))
        {
            for (var dot = 0; dot < 3 * GlyphHeight; dot++)
            {
                if ((glyph[dot / 3] >> (2 - (dot % 3)) & 1) == 1)
                {
                    var (x, y) = (left + (((i * 4) + (dot % 3)) * Scale), top + (dot / 3 * Scale));
                    Fill(pixels, x, y, x + Scale, y + Scale, (0, 0, 0), 1);
                }
            }
        }
    }

    private static void Fill(byte[] pixels, int left, int top, int right, int bottom, (int R, int G, int B) color, double opacity)
    {
        for (var y = Math.Max(0, top); y < Math.Min(Height, bottom); y++)
        {
            for (var x = Math.Max(0, left); x < Math.Min(Width, right); x++)
            {
                var at = 3 * ((y * Width) + x);
                pixels[at] = Mix(pixels[at], color.R, opacity);
                pixels[at + 1] = Mix(pixels[at + 1], color.G, opacity);
                pixels[at + 2] = Mix(pixels[at + 2], color.B, opacity);
            }
        }
    }

    private static byte Mix(byte under, int over, double opacity) => (byte)Math.Round((under * (1 - opacity)) + (over * opacity));
}
