using System.Numerics;
using Embeddings.Tooling.Imaging;
using Embeddings.V1;

namespace Embeddings.Cli.Sampling;

/// <summary>
/// Scenes and faces drawn by code, each in several pictures of other light, crop, scale and JPEG quality. The same seed draws the same set. It shows that
/// copies and look-alikes are found again; it says nothing of how a model does on photographs.
/// </summary>
internal sealed class SampleSet(ulong seed = SampleSet.DefaultSeed)
{
    public const ulong DefaultSeed = 20_250_101;

    public const int SubjectsOfAKind = 12;

    /// <summary>Pictures of each subject that are stored: the numbers 1 to this.</summary>
    public const int StoredPictures = 5;

    /// <summary>The picture of each subject that is never stored: the one to search with.</summary>
    public const int HeldOut = StoredPictures + 1;

    private const int LookPart = 0;

    /// <summary>The pictures to store, drawn one by one as they are asked for.</summary>
    public IEnumerable<Sample> Stored() =>
        from kind in Enum.GetValues<ItemKind>()
        from subject in Enumerable.Range(1, SubjectsOfAKind)
        from number in Enumerable.Range(1, StoredPictures)
        select Draw(kind, subject, number);

    /// <summary>The pictures to search with: one of each subject, in a variation of its own.</summary>
    public IEnumerable<Sample> Queries(ItemKind kind) => Enumerable.Range(1, SubjectsOfAKind).Select(subject => Draw(kind, subject, HeldOut));

    public Sample Draw(ItemKind kind, int subject, int number)
    {
        var look = Dice.For(seed, (int)kind, subject, LookPart);
        var dice = Dice.For(seed, (int)kind, subject, number);
        return kind == ItemKind.Face ? Face(FaceLook.Roll(look), dice, subject, number) : Scene(SceneArtist.Draw(look), dice, subject, number);
    }

    private static Sample Scene(Drawing drawing, Dice dice, int subject, int number)
    {
        var variation = Variation.Roll(dice, 200, 400);
        return Take(ItemKind.Image, $"scene-{subject:00}", number, drawing, variation, variation.ViewOf(SceneArtist.Height), null);
    }

    private static Sample Face(FaceLook look, Dice dice, int subject, int number)
    {
        var variation = Variation.Roll(dice, 128, 240);
        var view = variation.ViewOf(1);
        // No detector is exact: half a pixel off, either way.
        var points = FaceArtist.Landmarks(look)
            .Select(at => view.ToPixels(at) + new Vector2(dice.Between(-0.5f, 0.5f), dice.Between(-0.5f, 0.5f)))
            .Select(at => new Point { X = at.X, Y = at.Y });
        return Take(ItemKind.Face, $"face-{subject:00}", number, FaceArtist.Draw(look), variation, view, FacePoints.From([.. points]));
    }

    private static Sample Take(ItemKind kind, string subject, int number, Drawing drawing, Variation variation, View view, FaceLandmarks? landmarks) => new()
    {
        Kind = kind,
        Subject = subject,
        Number = number,
        Variation = variation,
        Jpeg = JpegEncoder.Encode(drawing.Render(view, variation.Light), view.PixelWidth, view.PixelHeight, variation.JpegQuality),
        Landmarks = landmarks,
    };
}
