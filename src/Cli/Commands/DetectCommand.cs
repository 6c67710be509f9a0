using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.Tooling.Charts;
using Embeddings.Tooling.Photos;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings detect PHOTO...</c>: finds the faces in photos without storing them.</summary>
internal static class DetectCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var photos = PhotoFiles.Argument();
        var flags = new FaceFlags();
        var liveness = new Option<bool>("--liveness")
        {
            Description = "Also estimate whether each face was taken from life. Requires a liveness model on the server.",
        };
        var draw = CommonOptions.Text(
            "--draw",
            "OUT.jpg",
            "Write the photo with boxes, landmarks, and the names of persons to this file (.jpg, .png, or .webp).");
        var noNames = new Option<bool>("--no-names") { Description = "With --draw: do not look up the names of persons." };
        var collection = CommonOptions.Faces();
        collection.Description = "With --draw: collection with the named faces. [default: face_embeddings]";
        var command = new Command(
            "detect", "Finds the faces in photos and prints their boxes, confidence, quality, and pose. Nothing is stored.")
        {
            photos, draw, noNames, collection, liveness,
        };
        flags.AddTo(command);
        command.Validators.Add(result =>
        {
            if (result.GetValue(draw) is { } file)
            {
                if (result.GetValue(photos) is { Length: > 1 } several)
                {
                    result.AddError($"--draw requires one photo; got {several.Length}.");
                }
                if (!PhotoDrawing.Extensions.Contains(Path.GetExtension(file), StringComparer.OrdinalIgnoreCase))
                {
                    result.AddError($"--draw must be a file with the extension {string.Join(", ", PhotoDrawing.Extensions)}; got '{file}'.");
                }
            }
        });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            var options = flags.Read(parsed);
            options.WithLiveness = parsed.GetValue(liveness);
            using var client = globals.Client(parsed);
            return await PhotoFiles.RunAsync(
                output,
                parsed.GetValue(photos)!,
                async (path, photo) =>
                {
                    var target = parsed.GetValue(draw);
                    var names = target is not null && !parsed.GetValue(noNames)
                        ? await NamesAsync(client, output, photo, options, parsed.GetValue(collection)!, cancellationToken)
                        : null;
                    var request = new DetectFacesRequest { Photo = photo, Options = options };
                    var found = await client.DetectFacesAsync(request, cancellationToken);
                    Print(output, path, found, names);
                    if (target is not null)
                    {
                        Draw(output, photo, found, names, target, cancellationToken);
                    }
                },
                cancellationToken);
        });
        return command;
    }

    // The names by face index, or null if the collection has none to offer.
    private static async Task<Dictionary<int, PersonMatch>?> NamesAsync(
        EmbeddingsClient client,
        Output output,
        Image photo,
        FaceOptions options,
        string collection,
        CancellationToken cancellationToken)
    {
        var request = new IdentifyFacesRequest { Photo = photo, Options = options, Collection = collection, MaxPersons = 1 };
        try
        {
            var found = await client.IdentifyFacesAsync(request, cancellationToken);
            return found.Faces.Where(face => face.Person.Length > 0).ToDictionary(face => face.Face.FaceIndex, face => face.Persons[0]);
        }
        catch (EmbeddingsException e) when (e.Status is StatusCode.NotFound or StatusCode.FailedPrecondition or StatusCode.InvalidArgument)
        {
            // Detection reports what is wrong with the photo or its options.
            output.Note($"without names: {ErrorLine.OneLine(e.Message)}");
            return null;
        }
    }

    private static void Print(Output output, string path, DetectFacesResponse found, Dictionary<int, PersonMatch>? names)
    {
        output.Object(
            new
            {
                Path = path,
                Photo = FaceFields.Of(found.Photo),
                Faces = found.Faces.Select(face => FaceFields.Of(face.Face)),
                LeftOut = found.LeftOut.Select(FaceFields.Of),
                Persons = names?.OrderBy(name => name.Key)
                    .Select(name => new { FaceIndex = name.Key, name.Value.Person, name.Value.Similarity }),
                Timings = JsonFields.Of(found.Timings),
            },
            omitNulls: true);
        output.Line(FaceFields.Summary(path, found.Photo, found.Faces.Count, found.LeftOut.Count));
        var withLiveness = found.Faces.Any(face => face.Face.HasLiveness);
        var table = new TextTable(["face", "box", "confidence", "quality", "pose", .. withLiveness ? ["liveness"] : Array.Empty<string>(), "left out"]);
        foreach (var face in found.Faces.Select(face => face.Face))
        {
            table.Add(
            [
                $"{face.FaceIndex}",
                FaceFields.Text(face.Bbox),
                $"{face.Confidence:0.00}",
                $"{face.Quality?.Overall:0.00}",
                FaceFields.Text(face.Pose),
                .. withLiveness ? [$"{face.Liveness:0.00}"] : Array.Empty<string>(),
                "",
            ]);
        }
        foreach (var face in found.LeftOut)
        {
            table.Add(
            [
                "-",
                FaceFields.Text(face.Bbox),
                $"{face.Confidence:0.00}",
                "",
                "",
                .. withLiveness ? [""] : Array.Empty<string>(),
                $"{FaceFields.Word(face.Reason)}: {face.Message}",
            ]);
        }
        if (found.Faces.Count + found.LeftOut.Count > 0)
        {
            output.Table(table);
        }
    }

    private static void Draw(
        Output output,
        Image photo,
        DetectFacesResponse found,
        Dictionary<int, PersonMatch>? names,
        string target,
        CancellationToken cancellationToken)
    {
        if (!Chart.HasFonts)
        {
            output.Note("No fonts are installed, so the faces have no labels. Install a font, for example the package fonts-dejavu-core.");
        }
        var faces = found.LeftOut
            .Select(face => new DrawnFace(face.Bbox, null, FaceFields.Word(face.Reason), IsLeftOut: true))
            .Concat(found.Faces.Select(face => new DrawnFace(face.Face.Bbox, face.Face.Landmarks, Label(face.Face, names), IsLeftOut: false)))
            .ToList();
        var file = PhotoDrawing.Draw(photo.Encoded.Memory, found.Photo, faces, Path.GetExtension(target), cancellationToken);
        File.WriteAllBytes(target, file);
        output.Line($"written {ErrorLine.OneLine(target)}");
    }

    // The name with the similarity, or the number of the face.
    private static string Label(Face face, Dictionary<int, PersonMatch>? names) => names switch
    {
        null => $"{face.FaceIndex}",
        _ when names.TryGetValue(face.FaceIndex, out var name) => FormattableString.Invariant($"{name.Person} {name.Similarity:0.00}"),
        _ => $"{face.FaceIndex} unknown",
    };
}
