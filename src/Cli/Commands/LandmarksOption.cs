using System.CommandLine;
using System.Globalization;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>--landmarks</c>: the five points of the face in the one picture given.</summary>
internal static class LandmarksOption
{
    public static Option<string?> Create() => new("--landmarks")
    {
        Description = "The face's five points in the picture's pixels: left eye, right eye, nose, left and right mouth corner. "
            + "Absent: the picture is an aligned crop.",
        HelpName = "x,y,x,y,x,y,x,y,x,y",
    };

    /// <summary>The landmarks, or null; <see cref="CliException"/> where they are malformed or the kind has none.</summary>
    public static FaceLandmarks? Read(string? text, ItemKind kind)
    {
        if (text is null)
        {
            return null;
        }
        if (kind != ItemKind.Face)
        {
            throw new CliException("--landmarks goes with --kind face");
        }
        var numbers = text.Split(',')
            .Select(part => float.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : float.NaN)
            .ToArray();
        if (numbers.Length != 2 * FacePoints.Count || !numbers.All(float.IsFinite))
        {
            throw new CliException($"--landmarks '{text}' is not ten numbers with commas between them");
        }
        return FacePoints.From([.. Enumerable.Range(0, FacePoints.Count).Select(i => new Point { X = numbers[2 * i], Y = numbers[(2 * i) + 1] })]);
    }
}
