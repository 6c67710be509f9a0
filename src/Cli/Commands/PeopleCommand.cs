using System.CommandLine;
using System.Text;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.Tooling.People;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings people</c>: groups the faces of a collection into persons, and manages their names.</summary>
internal static class PeopleCommand
{
    // Ids shown of a person; --json has all.
    private const int MaxIds = 5;
    private const int PageSize = 500;

    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(2);

    public static Command Create(GlobalOptions globals)
    {
        var collection = CommonOptions.Faces();
        var threshold = CommonOptions.Threshold(
            "Mean similarity from which two groups of faces are one person, -1 to 1. [default: that of the model]");
        var minFaces = CommonOptions.Number("--min-faces", 1, 1, 1_000, "Minimum number of faces of a new person, 1 to 1,000.");
        var apply = new Option<bool>("--apply")
        {
            Description = "Store the persons: faces that join an existing person get its name, new persons the names person-1, person-2, "
                + "and so on. 'people undo' reverts it.",
        };
        var report = CommonOptions.Text(
            "--report",
            "FILE.html",
            "Write the persons with thumbnails of their faces to this file, a self-contained HTML page. The photos are found by the "
            + "attribute path of the faces, which ingest --kind photo stores.");
        var photos = CommonOptions.Text(
            "--photos", "DIR", "With --report: folder that the paths of the photos start from. [default: the working directory]");
        var filter = new FilterOptions();
        var command = new Command(
            "people",
            "Groups the faces of a collection into persons and prints them with the ids of their faces. New faces join existing "
            + "persons, which keep their names; two faces of one photo are never one person. Nothing is stored without --apply.")
        {
            PeopleChanges.List(globals),
            PeopleChanges.Name(globals),
            PeopleChanges.Merge(globals),
            PeopleChanges.Split(globals),
            PeopleChanges.Undo(globals),
            collection, threshold, minFaces, apply, report, photos,
        };
        filter.AddTo(command);
        command.Validators.Add(result =>
        {
            if (result.GetValue(photos) is not null && result.GetValue(report) is null)
            {
                result.AddError("--photos requires --report.");
            }
        });
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var request = new ClusterFacesRequest
            {
                Collection = parsed.GetValue(collection),
                Filter = filter.Read(parsed),
                MinFaces = parsed.GetValue(minFaces),
                Apply = parsed.GetValue(apply),
            };
            if (parsed.GetValue(threshold) is { } minimum)
            {
                request.Threshold = minimum;
            }
            var found = await FoundPersons.ReadAsync(
                client.ClusterFacesAsync(request, cancellationToken), ProgressTo(output, TimeProvider.System));
            Print(output, found);
            if (parsed.GetValue(report) is { } file)
            {
                await ReportAsync(client, output, request, found, file, parsed.GetValue(photos) ?? "", cancellationToken);
            }
        });
    }

    private static Action<ClusterProgress> ProgressTo(Output output, TimeProvider time)
    {
        var last = time.GetTimestamp();
        return progress =>
        {
            if (time.GetElapsedTime(last) >= ProgressInterval)
            {
                last = time.GetTimestamp();
                output.Note($"{progress.ReadCount:N0} of {progress.TotalCount:N0} faces read, {progress.ComparedCount:N0} compared");
            }
        };
    }

    private static void Print(Output output, FoundPersons found)
    {
        var table = new TextTable("person", "faces", "new", "points");
        foreach (var person in found.Persons)
        {
            output.Object(new
            {
                person.Index,
                Person = person.Name,
                FaceCount = person.Faces.Count,
                person.Cover,
                Faces = person.Faces.Select(face => new { face.PointId, face.Similarity, face.Joined }),
            });
            var more = person.Faces.Count > MaxIds ? $" and {person.Faces.Count - MaxIds:N0} more" : "";
            table.Add(
                person.Name.Length > 0 ? person.Name : $"(unnamed {person.Index + 1})",
                $"{person.Faces.Count:N0}",
                $"{person.NewCount:N0}",
                string.Join(' ', person.Faces.Take(MaxIds).Select(face => face.PointId)) + more);
        }
        if (found.Persons.Count > 0)
        {
            output.Table(table);
        }
        var summary = found.Summary;
        output.Object(new
        {
            Summary = new
            {
                summary.PersonCount,
                summary.GroupedCount,
                summary.UngroupedCount,
                summary.Threshold,
                summary.ChangeId,
            },
        });
        var ungrouped = summary.UngroupedCount > 0 ? $", {FaceFields.Count(summary.UngroupedCount, "face", "faces")} in no person" : "";
        output.Line($"{FaceFields.Count(summary.PersonCount, "person", "persons")}, "
            + $"{FaceFields.Count(summary.GroupedCount, "face", "faces")}{ungrouped}; threshold {summary.Threshold:0.000}");
        if (summary.ChangeId.Length > 0)
        {
            output.Line($"stored as change {summary.ChangeId}; 'embeddings people undo {summary.ChangeId}' reverts it");
        }
        else if (found.Persons.Any(person => person.NewCount > 0))
        {
            output.Line("nothing is stored; 'embeddings people --apply' stores it, 'embeddings people name NAME POINT...' names faces");
        }
    }

    private static async Task ReportAsync(
        EmbeddingsClient client,
        Output output,
        ClusterFacesRequest request,
        FoundPersons found,
        string file,
        string photos,
        CancellationToken cancellationToken)
    {
        var shown = PeopleReport.Shown(found);
        var pictures = new FacePictures(photos);
        var list = new ListVectorsRequest { Collection = request.Collection, Filter = request.Filter, PageSize = PageSize };
        await pictures.ReadAsync(client.ListAllVectorsAsync(list, cancellationToken), shown, cancellationToken);
        await using (var writer = new StreamWriter(file, append: false, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)))
        {
            PeopleReport.Write(writer, request.Collection, found, id => pictures[id]);
        }
        var missing = shown.Count(id => pictures[id].Jpeg is null);
        output.Object(new { Report = file, Faces = shown.Count, WithoutThumbnail = missing });
        output.Line($"written {ErrorLine.OneLine(file)}");
        if (missing > 0)
        {
            var example = pictures[shown.First(id => pictures[id].Jpeg is null)].Missing;
            output.Note($"{FaceFields.Count(missing, "face", "faces")} without a thumbnail, for example because {ErrorLine.OneLine(example)}. "
                + "Run the command where the photos were ingested, or set --photos.");
        }
    }
}
