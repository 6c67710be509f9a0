using System.Numerics;

namespace Embeddings.Cli.Sampling;

/// <summary>One way to take the same picture: its light, its crop, its scale and its JPEG quality.</summary>
internal sealed record Variation
{
    public required Light Light { get; init; }

    /// <summary>What share of the drawing's width is seen, up to 1.</summary>
    public required float Zoom { get; init; }

    /// <summary>Where in the rest of the drawing the crop lies, 0 to 1 both ways.</summary>
    public required Vector2 Shift { get; init; }

    /// <summary>Width of the picture, pixels.</summary>
    public required int PixelWidth { get; init; }

    /// <summary>1 to 100.</summary>
    public required int JpegQuality { get; init; }

    public static Variation Roll(Dice dice, int leastWidth, int mostWidth) => new()
    {
        Light = new Light(dice.Between(0.75f, 1.2f), dice.Between(-0.25f, 0.25f), dice.Between(-0.15f, 0.15f), dice.Between(-0.06f, 0.06f)),
        Zoom = dice.Between(0.9f, 1),
        Shift = new Vector2(dice.Between(0, 1), dice.Between(0, 1)),
        PixelWidth = (int)dice.Between(leastWidth, mostWidth),
        JpegQuality = (int)dice.Between(45, 96),
    };

    /// <summary>The view of a drawing of width 1 and this height.</summary>
    public View ViewOf(float height)
    {
        var rest = new Vector2(1 - Zoom, height * (1 - Zoom));
        return new View(rest * Shift, Zoom, PixelWidth, (int)MathF.Round(PixelWidth * height));
    }
}
