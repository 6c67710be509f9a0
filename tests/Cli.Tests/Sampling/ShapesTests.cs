using System.Numerics;
using Embeddings.Cli.Sampling;

namespace Embeddings.Cli.Tests.Sampling;

public sealed class ShapesTests
{
    [Fact]
    public void Distances_are_negative_within_and_right_outside()
    {
        Assert.Equal(1, Shapes.Circle(new(0, 0), 1)(new(2, 0)), 5);
        Assert.Equal(-1, Shapes.Circle(new(0, 0), 1)(new(0, 0)), 5);
        Assert.Equal(5, Shapes.Box(new(0, 0), new(1, 1))(new(4, 5)), 5);
        Assert.Equal(-0.5f, Shapes.Box(new(0, 0), new(1, 1))(new(0.5f, 0.5f)), 5);
        Assert.Equal(0.5f, Shapes.Line(new(0, 0), new(1, 0), 1)(new(0.5f, 1)), 5);
        Assert.Equal(0, Shapes.Ellipse(new(0, 0), new(2, 1))(new(2, 0)), 5);
        Assert.Equal(0, Shapes.Superellipse(new(0, 0), new(2, 1), 4)(new(0, 1)), 5);
    }

    [Fact]
    public void A_triangles_corners_may_go_either_way()
    {
        Vector2 a = new(0, 0), b = new(2, 0), c = new(1, 2), within = new(1, 0.5f), without = new(1, -0.5f);
        Assert.True(Shapes.Triangle(a, b, c)(within) < 0 && Shapes.Triangle(a, c, b)(within) < 0);
        Assert.True(Shapes.Triangle(a, b, c)(without) > 0 && Shapes.Triangle(a, c, b)(without) > 0);
    }
}
