using System.Numerics;
using Embeddings.Cli.Sampling;

namespace Embeddings.Cli.Tests.Sampling;

public sealed class DrawingTests
{
    private static readonly Light Day = new(1, 0, 0, 0);

    [Fact]
    public void A_drawing_shows_its_shapes_where_they_are()
    {
        var drawing = new Drawing(_ => Vector3.Zero).Add(Shapes.Box(new(0.5f, 0), new(1, 1)), Vector3.One);
        var pixels = drawing.Render(new View(Vector2.Zero, 1, 4, 2), Day);
        byte[] row = [0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255];
        Assert.Equal([.. row, .. row], pixels);
    }

    [Theory]
    [InlineData(ItemKind.Image)]
    [InlineData(ItemKind.Face)]
    internal void Leaving_out_far_shapes_tile_by_tile_changes_no_pixel(ItemKind kind)
    {
        for (var subject = 1; subject <= SampleSet.SubjectsOfAKind; subject++)
        {
            var dice = Dice.For(SampleSet.DefaultSeed, (int)kind, subject, 0);
            var drawing = kind == ItemKind.Face ? FaceArtist.Draw(FaceLook.Roll(dice)) : SceneArtist.Draw(dice);
            var view = new View(new(0.03f, 0.02f), 0.95f, 61, 45);
            var pixels = drawing.Render(view, Day);
            for (var i = 0; i < 61 * 45; i++)
            {
                // A picture of one pixel is one tile as small as the pixel: nothing that could touch it is far.
                var origin = view.Origin + (new Vector2(i % 61, i / 61) * (view.Width / 61));
                var expected = drawing.Render(new View(origin, view.Width / 61, 1, 1), Day);
                // The pixel's middle is computed another way, so its rounding may differ.
                var same = expected.Zip(pixels.AsSpan(i * 3, 3).ToArray()).All(pair => Math.Abs(pair.First - pair.Second) <= 3);
                Assert.True(same, $"{kind} {subject}: pixel {i}");
            }
        }
    }
}
