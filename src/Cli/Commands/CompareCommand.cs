using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings compare A B</c>: each face of one photo with each face of another.</summary>
internal static class CompareCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var first = new Argument<string>("first") { Description = "First photo.", HelpName = "PHOTO" };
        var second = new Argument<string>("second") { Description = "Second photo.", HelpName = "PHOTO" };
        var flags = new FaceFlags();
        var model = CommonOptions.Model();
        var threshold = CommonOptions.Threshold(
            "Similarity from which two faces show the same person, -1 to 1. [default: that of the model]");
        var command = new Command(
            "compare", "Compares each face of one photo with each face of another: similarity, and whether it is the same person.")
        {
            first, second, threshold, model,
        };
        flags.AddTo(command);
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var (a, b) = (parsed.GetValue(first)!, parsed.GetValue(second)!);
            var request = new CompareFacesRequest
            {
                First = await ImageFile.ReadAsync(a, ImageFile.DefaultMaxBytes, cancellationToken),
                Second = await ImageFile.ReadAsync(b, ImageFile.DefaultMaxBytes, cancellationToken),
                Options = flags.Read(parsed),
                Model = parsed.GetValue(model),
            };
            if (parsed.GetValue(threshold) is { } minimum)
            {
                request.Threshold = minimum;
            }
            Print(output, a, b, await client.CompareFacesAsync(request, cancellationToken));
        });
    }

    private static void Print(Output output, string first, string second, CompareFacesResponse compared)
    {
        output.Object(
            new
            {
                First = new { Path = first, Photo = FaceFields.Of(compared.FirstPhoto), Faces = compared.FirstFaces.Select(FaceFields.Of) },
                Second = new { Path = second, Photo = FaceFields.Of(compared.SecondPhoto), Faces = compared.SecondFaces.Select(FaceFields.Of) },
                Pairs = compared.Pairs.Select(pair => new
                {
                    pair.FirstIndex,
                    pair.SecondIndex,
                    pair.Similarity,
                    SamePerson = pair.HasSamePerson ? pair.SamePerson : (bool?)null,
                }),
                Threshold = compared.HasThreshold ? compared.Threshold : (float?)null,
                compared.Model,
                Timings = JsonFields.Of(compared.Timings),
            },
            omitNulls: true);
        output.Line(FaceFields.Summary(first, compared.FirstPhoto, compared.FirstFaces.Count, 0) + " (rows)");
        output.Line(FaceFields.Summary(second, compared.SecondPhoto, compared.SecondFaces.Count, 0) + " (columns)");
        if (compared.Pairs.Count > 0)
        {
            output.Table(Matrix(compared));
        }
        output.Line(compared.HasThreshold
            ? FormattableString.Invariant($"threshold {compared.Threshold:0.000} of model {ErrorLine.OneLine(compared.Model)}")
            : $"model {ErrorLine.OneLine(compared.Model)} has no measured threshold; set one with --threshold");
    }

    private static TextTable Matrix(CompareFacesResponse compared)
    {
        var cells = compared.Pairs.ToDictionary(pair => (pair.FirstIndex, pair.SecondIndex), Text);
        var table = new TextTable(["face", .. compared.SecondFaces.Select(face => $"{face.FaceIndex}")]);
        foreach (var row in compared.FirstFaces)
        {
            table.Add([$"{row.FaceIndex}", .. compared.SecondFaces.Select(column => cells.GetValueOrDefault((row.FaceIndex, column.FaceIndex), ""))]);
        }
        return table;
    }

    private static string Text(FacePair pair)
    {
        var verdict = !pair.HasSamePerson ? "" : pair.SamePerson ? " same" : " different";
        return FormattableString.Invariant($"{pair.Similarity:0.000}{verdict}");
    }
}
