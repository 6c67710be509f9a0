using System.Numerics;

namespace Embeddings.Cli.Sampling;

/// <summary>Shapes as signed distances: negative within, positive without, in the drawing's own units (its width is 1, y goes down).</summary>
internal static class Shapes
{
    public static Func<Vector2, float> Circle(Vector2 center, float radius) => p => Vector2.Distance(p, center) - radius;

    /// <summary>Exact only near the edge, which is where it matters.</summary>
    public static Func<Vector2, float> Ellipse(Vector2 center, Vector2 radii)
    {
        var least = MathF.Min(radii.X, radii.Y);
        return p => (((p - center) / radii).Length() - 1) * least;
    }

    /// <summary>Between an ellipse (2) and a rectangle (large exponents).</summary>
    public static Func<Vector2, float> Superellipse(Vector2 center, Vector2 radii, float exponent)
    {
        var least = MathF.Min(radii.X, radii.Y);
        return p =>
        {
            var q = Vector2.Abs((p - center) / radii);
            return (MathF.Pow(MathF.Pow(q.X, exponent) + MathF.Pow(q.Y, exponent), 1 / exponent) - 1) * least;
        };
    }

    public static Func<Vector2, float> Box(Vector2 from, Vector2 to)
    {
        var (center, half) = ((from + to) / 2, (to - from) / 2);
        return p =>
        {
            var q = Vector2.Abs(p - center) - half;
            return Vector2.Max(q, Vector2.Zero).Length() + MathF.Min(MathF.Max(q.X, q.Y), 0);
        };
    }

    /// <summary>A line with round ends.</summary>
    public static Func<Vector2, float> Line(Vector2 from, Vector2 to, float width)
    {
        var along = to - from;
        var squared = MathF.Max(along.LengthSquared(), 1e-9f);
        return p => Vector2.Distance(p, from + (along * Math.Clamp(Vector2.Dot(p - from, along) / squared, 0, 1))) - (width / 2);
    }

    /// <summary>A triangle, its corners in either direction.</summary>
    public static Func<Vector2, float> Triangle(Vector2 a, Vector2 b, Vector2 c)
    {
        var turn = MathF.Sign(((b - a).X * (c - a).Y) - ((b - a).Y * (c - a).X));
        return p => MathF.Max(MathF.Max(Edge(p, a, b, turn), Edge(p, b, c, turn)), Edge(p, c, a, turn));
    }

    /// <summary>All that lies below the curve <paramref name="top"/>.</summary>
    public static Func<Vector2, float> Below(Func<float, float> top) => p => top(p.X) - p.Y;

    public static Func<Vector2, float> Ring(Func<Vector2, float> shape, float width) => p => MathF.Abs(shape(p)) - (width / 2);

    public static Func<Vector2, float> Both(Func<Vector2, float> one, Func<Vector2, float> other) => p => MathF.Max(one(p), other(p));

    public static Func<Vector2, float> Either(Func<Vector2, float> one, Func<Vector2, float> other) => p => MathF.Min(one(p), other(p));

    public static Func<Vector2, float> Without(Func<Vector2, float> one, Func<Vector2, float> other) => p => MathF.Max(one(p), -other(p));

    private static float Edge(Vector2 p, Vector2 from, Vector2 to, int turn)
    {
        var along = Vector2.Normalize(to - from);
        return turn * (((p - from).X * along.Y) - ((p - from).Y * along.X));
    }
}
