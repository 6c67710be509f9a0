using Embeddings.Testing;
namespace Embeddings.Core.Tests.Models;

/// <summary>Scenes and faces drawn by code: each number is another one, the same every time.</summary>
internal static class Drawings
{
    public static Picture Scene(int number)
    {
        var random = new Random((number * 7919) + 1);
        double Next(double least, double most) => least + (random.NextDouble() * (most - least));
        (double R, double G, double B) Colour() => (Next(0.1, 0.95), Next(0.1, 0.95), Next(0.1, 0.95));
        var (sky, ground) = (Colour(), Colour());
        var (horizon, waves, height, phase) = (Next(0.3, 0.7), Next(3, 12), Next(0.02, 0.1), Next(0, 6));
        var shapes = Enumerable.Range(0, random.Next(4, 9))
            .Select(_ => (X: Next(0.1, 0.9), Y: Next(0.15, 0.9), W: Next(0.04, 0.2), H: Next(0.04, 0.25), Round: random.Next(3), Fill: Colour()))
            .ToArray();
        return Picture.Draw(224, 224, (x, y) =>
        {
            foreach (var shape in shapes)
            {
                var (dx, dy) = ((x - shape.X) / shape.W, (y - shape.Y) / shape.H);
                var inside = shape.Round switch
                {
                    0 => (dx * dx) + (dy * dy) < 1,
                    1 => Math.Abs(dx) < 1 && Math.Abs(dy) < 1,
                    _ => dy is > -1 and < 1 && Math.Abs(dx) < (dy + 1) / 2,
                };
                if (inside)
                {
                    return shape.Fill;
                }
            }
            var line = horizon + (height * Math.Sin((x * waves) + phase));
            return y < line ? (sky.R - (y * 0.2), sky.G - (y * 0.2), sky.B + (y * 0.1)) : ground;
        });
    }

    public static Picture Face(int number)
    {
        var random = new Random((number * 104729) + 5);
        double Next(double least, double most) => least + (random.NextDouble() * (most - least));
        var tone = Next(0.35, 0.95);
        var skin = (tone, tone * Next(0.7, 0.85), tone * Next(0.5, 0.7));
        var (hair, back) = ((Next(0, 0.7), Next(0, 0.5), Next(0, 0.3)), (Next(0, 1), Next(0, 1), Next(0, 1)));
        var (wide, tall, hairline) = (Next(0.32, 0.44), Next(0.44, 0.56), Next(0.12, 0.3));
        var (eyeX, eyeY, eyeW, eyeH) = (Next(0.15, 0.19), Next(0.42, 0.5), Next(0.05, 0.09), Next(0.02, 0.045));
        var (browY, browW, browTilt, browThick) = (Next(0.07, 0.12), Next(0.07, 0.11), Next(-0.3, 0.3), Next(0.01, 0.03));
        var (noseL, noseW) = (Next(0.12, 0.2), Next(0.03, 0.07));
        var (mouthY, mouthW, mouthH, smile) = (Next(0.72, 0.8), Next(0.09, 0.18), Next(0.015, 0.04), Next(-0.6, 1.2));
        var (beard, glasses) = (random.Next(4) == 0, random.Next(4) == 0);
        return Picture.Draw(112, 112, (x, y) =>
        {
            var side = Math.Abs(x - 0.5);
            var (ex, ey) = ((side - eyeX) / eyeW, (y - eyeY) / eyeH);
            var eye = (ex * ex) + (ey * ey);
            if (eye < 0.25)
            {
                return (0.05, 0.05, 0.1);
            }
            if (eye < 1)
            {
                return (0.95, 0.95, 0.95);
            }
            if (glasses && eye is > 3 and < 5)
            {
                return (0.1, 0.1, 0.1);
            }
            if (Math.Abs(side - eyeX) < browW && Math.Abs(y - (eyeY - browY + (browTilt * (side - eyeX)))) < browThick)
            {
                return hair;
            }
            if (y > eyeY && y < eyeY + noseL && Math.Abs(side - (noseW * (y - eyeY) / noseL)) < 0.012)
            {
                return (skin.Item1 * 0.6, skin.Item2 * 0.6, skin.Item3 * 0.6);
            }
            var mouth = y - mouthY + (smile * side * side);
            if (side < mouthW && Math.Abs(mouth) < mouthH * (1 - (side / mouthW)) + 0.006)
            {
                return (0.65, 0.2, 0.25);
            }
            var oval = Math.Pow(side / wide, 2) + Math.Pow((y - 0.55) / tall, 2);
            return oval > 1 ? (y < 0.6 && oval < 1.5 ? hair : back)
                : y < hairline + (side * side) ? hair
                : beard && y > mouthY - 0.06 ? (hair.Item1 * 0.9, hair.Item2 * 0.9, hair.Item3 * 0.9)
                : (skin.Item1 * (1 - (0.3 * x)), skin.Item2 * (1 - (0.3 * x)), skin.Item3 * (1 - (0.3 * x)));
        });
    }
}
