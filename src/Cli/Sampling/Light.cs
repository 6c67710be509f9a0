using System.Numerics;

namespace Embeddings.Cli.Sampling;

/// <summary>The light a picture is taken in.</summary>
/// <param name="Gain">What brightness is multiplied with; 1 leaves it.</param>
/// <param name="Side">How much brighter the right side is than the left; negative for darker.</param>
/// <param name="Fall">How much brighter the bottom is than the top.</param>
/// <param name="Warmth">More red and less blue; negative for the other way.</param>
internal readonly record struct Light(float Gain, float Side, float Fall, float Warmth)
{
    /// <summary>The colour in this light, <paramref name="x"/> and <paramref name="y"/> from 0 to 1 over the picture.</summary>
    public Vector3 On(Vector3 color, float x, float y) =>
        color * (Gain * (1 + (Side * (x - 0.5f)) + (Fall * (y - 0.5f)))) * new Vector3(1 + Warmth, 1, 1 - Warmth);
}
