using System.Numerics;

namespace Embeddings.Cli.Sampling;

/// <summary>Draws landscapes: each seed another sky, sun, hills, water, houses, trees and balloons. The drawing is 1 wide and 0.75 high.</summary>
internal static class SceneArtist
{
    public const float Height = 0.75f;

    public static Drawing Draw(Dice dice)
    {
        var hue = dice.Between(0, 1);
        var top = Colors.Hsv(hue, dice.Between(0.35f, 0.8f), dice.Between(0.35f, 0.95f));
        var bottom = Colors.Hsv(hue + dice.Between(0.05f, 0.4f), dice.Between(0.15f, 0.6f), 0.95f);
        var drawing = new Drawing(p => Colors.Mix(top, bottom, p.Y / 0.5f));
        var horizon = dice.Between(0.35f, 0.55f);

        var sun = Shapes.Circle(new(dice.Between(0.1f, 0.9f), dice.Between(0.08f, 0.28f)), dice.Between(0.03f, 0.11f));
        drawing.Add(sun, Colors.Hsv(dice.Between(0.02f, 0.17f), dice.Between(0.1f, 0.7f), 1));
        Clouds(drawing, dice);
        Hills(drawing, dice, horizon);
        Ground(drawing, dice, horizon);
        for (var i = dice.Below(4); i > 0; i--)
        {
            House(drawing, dice, new(dice.Between(0.08f, 0.85f), horizon + dice.Between(0.05f, 0.22f)));
        }
        for (var i = dice.Below(6); i > 0; i--)
        {
            Tree(drawing, dice, new(dice.Between(0.05f, 0.95f), horizon + dice.Between(0.06f, 0.26f)));
        }
        for (var i = dice.Chance(0.4f) ? 1 + dice.Below(4) : 0; i > 0; i--)
        {
            drawing.Add(Shapes.Circle(new(dice.Between(0.1f, 0.9f), dice.Between(0.1f, 0.6f)), dice.Between(0.02f, 0.06f)), Bright(dice));
        }
        return drawing;
    }

    private static void Clouds(Drawing drawing, Dice dice)
    {
        for (var i = dice.Below(4); i > 0; i--)
        {
            var (center, size) = (new Vector2(dice.Between(0, 1), dice.Between(0.05f, 0.3f)), dice.Between(0.05f, 0.12f));
            var flat = Shapes.Ellipse(center, new(size * 1.6f, size * 0.4f));
            var round = Shapes.Ellipse(center + new Vector2(size * 0.3f, -size * 0.25f), new(size * 0.8f, size * 0.4f));
            drawing.Add(Shapes.Either(flat, round), Colors.White, 0.8f);
        }
    }

    private static void Hills(Drawing drawing, Dice dice, float horizon)
    {
        var hue = dice.Between(0.2f, 0.8f);
        for (var i = 1 + dice.Below(3); i > 0; i--)
        {
            var (wave, phase, height) = (dice.Between(3, 14), dice.Between(0, 6), dice.Between(0.03f, 0.13f));
            // Steep ones are mountains: the same curve folded.
            var folded = dice.Chance(0.4f);
            var rise = 0.05f * i;
            float Top(float x)
            {
                var curve = MathF.Sin((x * wave) + phase);
                return horizon - rise - (height * (folded ? (2 * MathF.Abs(curve)) - 1 : curve));
            }
            drawing.Add(Shapes.Below(Top), Colors.Hsv(hue, dice.Between(0.2f, 0.6f), dice.Between(0.3f, 0.75f)));
        }
    }

    private static void Ground(Drawing drawing, Dice dice, float horizon)
    {
        // Meadow, ploughed field or water: plain, with fanned stripes, with level stripes.
        var (hue, kind, count) = (dice.Pick<float>([0.09f, 0.13f, 0.25f, 0.33f, 0.55f, 0.6f]), dice.Below(3), dice.Between(18, 50));
        var (one, other) = (Colors.Hsv(hue, 0.6f, dice.Between(0.4f, 0.75f)), Colors.Hsv(hue + 0.03f, 0.5f, dice.Between(0.5f, 0.9f)));
        var middle = dice.Between(0.2f, 0.8f);
        drawing.Add(Shapes.Below(_ => horizon), p =>
        {
            var deep = p.Y - horizon + 0.02f;
            var wave = kind switch { 0 => 0, 1 => MathF.Sin((p.X - middle) / deep * count * 0.2f), _ => MathF.Sin(MathF.Sqrt(deep) * count * 2.5f) };
            return Colors.Mix(one, other, 0.5f + (0.5f * wave)) * (0.85f + (0.4f * deep));
        });
    }

    private static void House(Drawing drawing, Dice dice, Vector2 foot)
    {
        var (width, height, roof) = (dice.Between(0.1f, 0.2f), dice.Between(0.08f, 0.16f), dice.Between(0.05f, 0.11f));
        var (left, right, eaves) = (foot.X - (width / 2), foot.X + (width / 2), foot.Y - height);
        var window = Colors.Hsv(dice.Between(0.1f, 0.6f), 0.4f, dice.Between(0.3f, 1));
        var tiles = Colors.Hsv(dice.Between(-0.05f, 0.1f), 0.7f, dice.Between(0.3f, 0.7f));
        drawing.Add(Shapes.Box(new(left, eaves), new(right, foot.Y)), Colors.Hsv(dice.Between(0, 1), dice.Between(0.1f, 0.6f), dice.Between(0.6f, 1)))
            .Add(Shapes.Triangle(new(left - 0.015f, eaves), new(right + 0.015f, eaves), new(foot.X, eaves - roof)), tiles)
            .Add(Shapes.Box(new(foot.X - (width * 0.1f), foot.Y - (height * 0.5f)), new(foot.X + (width * 0.1f), foot.Y)), Colors.Hsv(0.07f, 0.6f, 0.35f));
        foreach (var side in (float[])[-0.3f, 0.3f])
        {
            var (x, y, half) = (foot.X + (width * side), eaves + (height * 0.4f), width * 0.1f);
            drawing.Add(Shapes.Box(new(x - half, y - half), new(x + half, y + half)), window);
        }
    }

    private static void Tree(Drawing drawing, Dice dice, Vector2 foot)
    {
        var height = dice.Between(0.1f, 0.25f);
        var leaves = Colors.Hsv(dice.Between(0.17f, 0.42f), dice.Between(0.4f, 0.8f), dice.Between(0.25f, 0.65f));
        drawing.Add(Shapes.Line(foot, foot - new Vector2(0, height * 0.5f), height * 0.12f), Colors.Hsv(0.07f, 0.5f, 0.3f));
        if (dice.Chance(0.5f))
        {
            drawing.Add(Shapes.Circle(foot - new Vector2(0, height * 0.75f), height * 0.35f), leaves);
            return;
        }
        for (var i = 0; i < 3; i++)
        {
            var (y, half) = (foot.Y - (height * (0.3f + (0.22f * i))), height * (0.32f - (0.07f * i)));
            drawing.Add(Shapes.Triangle(new(foot.X - half, y), new(foot.X + half, y), new(foot.X, y - (height * 0.35f))), leaves * (1 + (0.1f * i)));
        }
    }

    private static Vector3 Bright(Dice dice) => Colors.Hsv(dice.Between(0, 1), 0.8f, 0.95f);
}
