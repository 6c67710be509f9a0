using System.Numerics;

namespace Embeddings.Cli.Sampling;

/// <summary>Which part of a drawing is seen, and at what size.</summary>
/// <param name="Origin">Its top left corner in the drawing.</param>
/// <param name="Width">Its width in the drawing, whose own is 1.</param>
/// <param name="PixelWidth">Width of the picture, pixels.</param>
/// <param name="PixelHeight">Height of the picture, pixels.</param>
internal readonly record struct View(Vector2 Origin, float Width, int PixelWidth, int PixelHeight)
{
    /// <summary>A point of the drawing in the picture's pixels; (0, 0) is the middle of the top left one.</summary>
    public Vector2 ToPixels(Vector2 at) => ((at - Origin) * (PixelWidth / Width)) - new Vector2(0.5f);
}
