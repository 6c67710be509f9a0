using System.Numerics;

namespace Embeddings.Cli.Sampling;

/// <summary>Colours as red, green, blue from 0 to 1.</summary>
internal static class Colors
{
    public static Vector3 White { get; } = Vector3.One;

    /// <param name="hue">0 to 1: red, yellow, green, cyan, blue, magenta and back.</param>
    /// <param name="saturation">0 (gray) to 1.</param>
    /// <param name="value">0 (black) to 1.</param>
    public static Vector3 Hsv(float hue, float saturation, float value)
    {
        float Channel(float shift)
        {
            var at = MathF.Abs((((hue + shift) % 1 * 6) + 6) % 6 - 3) - 1;
            return value * (1 - (saturation * (1 - Math.Clamp(at, 0, 1))));
        }
        return new(Channel(0), Channel(2f / 3), Channel(1f / 3));
    }

    /// <summary>From 24 bits, as web pages write them: 0xF1C27D.</summary>
    public static Vector3 Rgb(int bits) => new Vector3((bits >> 16) & 255, (bits >> 8) & 255, bits & 255) / 255;

    public static Vector3 Mix(Vector3 from, Vector3 to, float share) => Vector3.Lerp(from, to, Math.Clamp(share, 0, 1));
}
