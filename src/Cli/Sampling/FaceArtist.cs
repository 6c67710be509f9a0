using System.Numerics;

namespace Embeddings.Cli.Sampling;

/// <summary>Draws faces from the front, from the back of the picture to its front. The drawing is 1 wide and 1 high.</summary>
internal static class FaceArtist
{
    private const float EyeLine = 0.46f;

    private static readonly Vector2 Middle = new(0.5f, 0.5f);

    public static Drawing Draw(FaceLook look)
    {
        var drawing = new Drawing(p => look.Wall * (1.1f - (0.4f * p.Y)));
        var head = Shapes.Superellipse(Middle, look.Head, look.Squareness);
        if (look.HairStyle == 4)
        {
            drawing.Add(Shapes.Superellipse(Middle + new Vector2(0, 0.06f), look.Head * new Vector2(1.3f, 1.25f), 2.6f), look.Hair);
        }
        drawing.Add(Shapes.Ellipse(new(0.5f, 1.05f), new(0.38f, 0.24f)), look.Shirt)
            .Add(Shapes.Box(new(0.42f, 0.7f), new(0.58f, 0.88f)), look.Skin * 0.8f);
        foreach (var side in (float[])[-1, 1])
        {
            drawing.Add(Shapes.Ellipse(new(0.5f + (side * look.Head.X), EyeLine + 0.03f), new(0.03f, 0.055f)), look.Skin * 0.85f);
        }
        drawing.Add(head, p => Shade(look, p));
        Beard(drawing, look, head);
        Nose(drawing, look);
        Mouth(drawing, look);
        foreach (var side in (float[])[-1, 1])
        {
            Eye(drawing, look, side);
        }
        Hair(drawing, look, head);
        Glasses(drawing, look);
        return drawing;
    }

    /// <summary>Left eye, right eye, nose, left and right mouth corner, in the drawing.</summary>
    public static Vector2[] Landmarks(FaceLook look)
    {
        var corner = MouthCorner(look);
        return [EyeAt(look, -1), EyeAt(look, 1), NoseTip(look), corner with { X = 1 - corner.X }, corner];
    }

    private static Vector2 EyeAt(FaceLook look, float side) => new(0.5f + (side * look.EyeDistance / 2), EyeLine);

    private static Vector2 NoseTip(FaceLook look) => new(0.5f, EyeLine + look.NoseLength);

    private static Vector2 MouthCorner(FaceLook look) => new(0.5f + (look.MouthWidth / 2), EyeLine + look.MouthDrop - look.Smile);

    // A ball lit from the upper left.
    private static Vector3 Shade(FaceLook look, Vector2 p)
    {
        var q = (p - Middle) / look.Head;
        var depth = MathF.Sqrt(MathF.Max(0, 1 - MathF.Min(q.LengthSquared(), 1)));
        return look.Skin * Math.Clamp(0.72f + (0.3f * depth) - (0.08f * q.X) - (0.08f * q.Y), 0, 1.1f);
    }

    private static void Eye(Drawing drawing, FaceLook look, float side)
    {
        var at = EyeAt(look, side);
        var white = Shapes.Ellipse(at, look.EyeSize);
        var iris = MathF.Min(look.EyeSize.Y * 1.1f, 0.026f);
        drawing.Add(Shapes.Ellipse(at, look.EyeSize * 1.15f), look.Skin * 0.45f)
            .Add(white, Colors.White * 0.95f)
            .Add(Shapes.Both(white, Shapes.Circle(at, iris)), look.Iris)
            .Add(Shapes.Both(white, Shapes.Circle(at, iris * 0.45f)), Vector3.Zero);
        var (inner, outer) = (at + new Vector2(-side * 0.04f, -0.065f), at + new Vector2(side * 0.055f, -0.065f + look.BrowTilt));
        drawing.Add(Shapes.Line(inner, outer, look.BrowWidth), look.Hair * 0.8f);
    }

    private static void Nose(Drawing drawing, FaceLook look)
    {
        var (tip, shadow) = (NoseTip(look), look.Skin * 0.62f);
        drawing.Add(Shapes.Line(new(0.5f - (look.NoseWidth * 0.3f), EyeLine + 0.02f), tip - new Vector2(look.NoseWidth, 0), 0.009f), shadow)
            .Add(Shapes.Ellipse(tip, new(look.NoseWidth, look.NoseWidth * 0.55f)), look.Skin * 0.9f)
            .Add(Shapes.Circle(tip + new Vector2(-look.NoseWidth * 0.5f, 0.012f), look.NoseWidth * 0.25f), shadow * 0.7f)
            .Add(Shapes.Circle(tip + new Vector2(look.NoseWidth * 0.5f, 0.012f), look.NoseWidth * 0.25f), shadow * 0.7f);
    }

    private static void Mouth(Drawing drawing, FaceLook look)
    {
        // A bow from corner to corner: its height at x follows from how much the corners are raised.
        var (corner, half) = (MouthCorner(look), look.MouthWidth / 2);
        float Bow(Vector2 p)
        {
            var x = (p.X - 0.5f) / half;
            var thickness = look.LipHeight * MathF.Max(0, 1 - (x * x));
            return MathF.Max(MathF.Abs(p.Y - (corner.Y + (look.Smile * (1 - (x * x))))) - thickness, MathF.Abs(p.X - 0.5f) - half);
        }
        drawing.Add(Bow, Colors.Mix(look.Skin, new(0.7f, 0.15f, 0.2f), 0.65f))
            .Add(Shapes.Both(Bow, p => MathF.Abs(p.Y - corner.Y - look.Smile) - 0.004f), look.Skin * 0.3f);
    }

    private static void Beard(Drawing drawing, FaceLook look, Func<Vector2, float> head)
    {
        if (look.Beard == 2)
        {
            drawing.Add(Shapes.Both(head, Shapes.Below(x => EyeLine + 0.1f + (0.35f * (0.25f - MathF.Abs(x - 0.5f))))), look.Hair, 0.9f);
        }
        if (look.Beard >= 1)
        {
            drawing.Add(Shapes.Ellipse(new(0.5f, EyeLine + ((look.NoseLength + look.MouthDrop) / 2) + 0.008f), new(look.MouthWidth * 0.5f, 0.026f)), look.Hair);
        }
    }

    private static void Hair(Drawing drawing, FaceLook look, Func<Vector2, float> head)
    {
        if (look.HairStyle == 0)
        {
            return;
        }
        var cap = Shapes.Superellipse(Middle - new Vector2(0, 0.02f), look.Head * new Vector2(1.08f, 1.1f), look.Squareness);
        var top = Middle.Y - look.Head.Y;
        float Edge(float x) => look.HairStyle switch
        {
            1 => top + 0.09f,
            2 => top + 0.05f + (0.35f * MathF.Abs(x - 0.4f)),
            3 => EyeLine - 0.1f + (0.012f * MathF.Sin(x * 90)),
            _ => top + 0.07f + (0.9f * (x - 0.5f) * (x - 0.5f)),
        };
        drawing.Add(Shapes.Both(Shapes.Either(cap, head), p => p.Y - Edge(p.X)), p => look.Hair * (0.9f + (0.15f * MathF.Sin(p.X * 120))));
    }

    private static void Glasses(Drawing drawing, FaceLook look)
    {
        if (look.Glasses == 0)
        {
            return;
        }
        var frame = new Vector3(0.08f);
        foreach (var side in (float[])[-1, 1])
        {
            var (at, size) = (EyeAt(look, side), new Vector2(0.078f, 0.062f));
            drawing.Add(Shapes.Ring(look.Glasses == 1 ? Shapes.Ellipse(at, size) : Shapes.Box(at - size, at + size), 0.012f), frame)
                .Add(Shapes.Line(at + new Vector2(side * size.X, 0), new(0.5f + (side * look.Head.X), EyeLine - 0.01f), 0.01f), frame);
        }
        drawing.Add(Shapes.Line(EyeAt(look, -1) + new Vector2(0.078f, 0), EyeAt(look, 1) - new Vector2(0.078f, 0), 0.012f), frame);
    }
}
