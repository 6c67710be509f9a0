using System.Numerics;

namespace Embeddings.Core.Imaging;

/// <summary>
/// A rotation, a uniform scale and a shift, never a reflection: (x, y) goes to (A x - B y + X, B x + A y + Y). Doubles, since
/// sums of pixels far from the corner cancel.
/// </summary>
internal readonly record struct SimilarityTransform(double A, double B, double X, double Y)
{
    public double Scale => Math.Sqrt(A * A + B * B);

    /// <summary>The inverse transform. Its scale is infinite if this one's is zero.</summary>
    public SimilarityTransform Inverse
    {
        get
        {
            var square = A * A + B * B;
            var a = A / square;
            var b = -B / square;
            return new(a, b, b * Y - a * X, -b * X - a * Y);
        }
    }

    /// <summary>
    /// The least-squares estimate of Umeyama (1991), "Least-squares estimation of transformation parameters between two point
    /// patterns". In two dimensions and without reflections it needs no decomposition: scale times cosine and sine are the two
    /// correlations over the variance.
    /// </summary>
    public static SimilarityTransform Estimate(ReadOnlySpan<Vector2> from, ReadOnlySpan<Vector2> to)
    {
        double fx = 0, fy = 0, tx = 0, ty = 0;
        for (var i = 0; i < from.Length; i++)
        {
            fx += from[i].X;
            fy += from[i].Y;
            tx += to[i].X;
            ty += to[i].Y;
        }
        fx /= from.Length;
        fy /= from.Length;
        tx /= from.Length;
        ty /= from.Length;
        double variance = 0, along = 0, aside = 0;
        for (var i = 0; i < from.Length; i++)
        {
            var px = from[i].X - fx;
            var py = from[i].Y - fy;
            var qx = to[i].X - tx;
            var qy = to[i].Y - ty;
            variance += px * px + py * py;
            along += px * qx + py * qy;
            aside += px * qy - py * qx;
        }
        var a = along / variance;
        var b = aside / variance;
        return new(a, b, tx - (a * fx - b * fy), ty - (b * fx + a * fy));
    }
}
