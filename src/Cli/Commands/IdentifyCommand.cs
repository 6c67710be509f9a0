using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings identify PHOTO...</c>: the persons that the faces in photos show.</summary>
internal static class IdentifyCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var photos = PhotoFiles.Argument();
        var flags = new FaceFlags();
        var model = CommonOptions.Model();
        var collection = CommonOptions.Faces();
        var threshold = CommonOptions.Threshold(
            "Similarity from which a face shows a person, -1 to 1. [default: that of the model]");
        var persons = CommonOptions.Number("--max-persons", 3, 1, 100, "Maximum number of persons for each face, 1 to 100.");
        var filter = new FilterOptions();
        var command = new Command(
            "identify", "Finds the named persons of a collection that each face in a photo resembles most.")
        {
            photos, collection, threshold, persons, model,
        };
        flags.AddTo(command);
        filter.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            using var client = globals.Client(parsed);
            var request = new IdentifyFacesRequest
            {
                Options = flags.Read(parsed),
                Model = parsed.GetValue(model),
                Collection = parsed.GetValue(collection),
                MaxPersons = parsed.GetValue(persons),
                Filter = filter.Read(parsed),
            };
            if (parsed.GetValue(threshold) is { } minimum)
            {
                request.Threshold = minimum;
            }
            return await PhotoFiles.RunAsync(
                output,
                parsed.GetValue(photos)!,
                async (path, photo) =>
                {
                    request.Photo = photo;
                    Print(output, path, await client.IdentifyFacesAsync(request, cancellationToken));
                },
                cancellationToken);
        });
        return command;
    }

    private static void Print(Output output, string path, IdentifyFacesResponse found)
    {
        output.Object(
            new
            {
                Path = path,
                Photo = FaceFields.Of(found.Photo),
                Faces = found.Faces.Select(face => new
                {
                    Face = FaceFields.Of(face.Face),
                    face.Person,
                    Persons = face.Persons.Select(match => new { match.Person, match.Similarity, match.PointId, match.SamePerson }),
                }),
                LeftOut = found.LeftOut.Select(FaceFields.Of),
                found.Threshold,
                Timings = JsonFields.Of(found.Timings),
            },
            omitNulls: true);
        output.Line(FaceFields.Summary(path, found.Photo, found.Faces.Count, found.LeftOut.Count)
            + FormattableString.Invariant($"; threshold {found.Threshold:0.000}"));
        var table = new TextTable("face", "box", "person", "similarity", "most similar face", "others");
        foreach (var face in found.Faces)
        {
            var best = face.Persons.FirstOrDefault();
            table.Add(
                $"{face.Face?.FaceIndex}",
                FaceFields.Text(face.Face?.Bbox),
                face.Person.Length > 0 ? face.Person : "unknown",
                best is null ? "" : $"{best.Similarity:0.000}",
                best is null ? "" : best.PointId,
                string.Join(", ", face.Persons.Skip(face.Person.Length > 0 ? 1 : 0).Select(other => $"{other.Person} {other.Similarity:0.000}")));
        }
        if (found.Faces.Count > 0)
        {
            output.Table(table);
        }
    }
}
