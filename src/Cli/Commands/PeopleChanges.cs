using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary>The commands below <c>embeddings people</c>: they list, name, merge, and split persons, and undo that.</summary>
internal static class PeopleChanges
{
    private const int PageSize = 500;

    public static Command List(GlobalOptions globals)
    {
        var collection = CommonOptions.Faces();
        var command = new Command("list", "Lists the persons of a collection with the number of their faces.") { collection };
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var request = new ListPersonsRequest { Collection = parsed.GetValue(collection), PageSize = PageSize };
            var table = new TextTable("person", "faces", "cover");
            ListPersonsResponse page;
            var count = 0;
            do
            {
                page = await client.ListPersonsAsync(request, cancellationToken);
                foreach (var person in page.Persons)
                {
                    output.Object(
                        new { person.Name, person.FaceCount, Cover = person.Cover is { } cover ? JsonFields.Of(cover) : null },
                        omitNulls: true);
                    table.Add(person.Name, $"{person.FaceCount:N0}", person.Cover?.PointId ?? "");
                }
                count += page.Persons.Count;
                request.PageToken = page.NextPageToken;
            }
            while (page.NextPageToken.Length > 0);
            if (count > 0)
            {
                output.Table(table);
            }
            output.Object(new { Summary = new { Persons = count, page.UnnamedCount } });
            output.Line($"{FaceFields.Count(count, "person", "persons")}, {FaceFields.Count(page.UnnamedCount, "face", "faces")} without a name");
        });
    }

    public static Command Name(GlobalOptions globals)
    {
        var collection = CommonOptions.Faces();
        var name = new Argument<string>("name") { Description = "Name of the person, 1 to 256 bytes.", HelpName = "NAME" };
        var points = Points("Ids of the points of the faces, as 'people' and 'ingest --json' print them.");
        var command = new Command("name", "Names the person of some faces.") { name, points, collection };
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var request = new NamePersonRequest { Collection = parsed.GetValue(collection), Person = parsed.GetValue(name) };
            request.PointIds.AddRange(parsed.GetValue(points));
            var changed = await client.NamePersonAsync(request, cancellationToken);
            Print(output, changed.ChangeId, changed.ChangedCount);
        });
    }

    public static Command Merge(GlobalOptions globals)
    {
        var collection = CommonOptions.Faces();
        var persons = new Argument<string[]>("persons")
        {
            Description = "Names of the persons to merge.",
            HelpName = "PERSON",
            Arity = ArgumentArity.OneOrMore,
        };
        var into = new Option<string>("--into")
        {
            Description = "Name of the person that gets all faces: one of the persons, or any other name. With one person, this renames it.",
            HelpName = "NAME",
            Required = true,
        };
        var command = new Command("merge", "Merges persons into one, or renames a person.") { persons, into, collection };
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var request = new MergePersonsRequest { Collection = parsed.GetValue(collection), Into = parsed.GetValue(into) };
            request.Persons.AddRange(parsed.GetValue(persons));
            var changed = await client.MergePersonsAsync(request, cancellationToken);
            Print(output, changed.ChangeId, changed.ChangedCount);
        });
    }

    public static Command Split(GlobalOptions globals)
    {
        var collection = CommonOptions.Faces();
        var person = new Argument<string>("person") { Description = "Name of the person.", HelpName = "PERSON" };
        var points = Points("Ids of the points of the faces to move.");
        var to = CommonOptions.Text("--to", "NAME", "New name of these faces. Without it, they have no name.");
        var command = new Command("split", "Moves some faces of a person to another name, or makes them unnamed.")
        {
            person, points, to, collection,
        };
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var request = new SplitPersonRequest
            {
                Collection = parsed.GetValue(collection),
                Person = parsed.GetValue(person),
                NewPerson = parsed.GetValue(to) ?? "",
            };
            request.PointIds.AddRange(parsed.GetValue(points));
            var changed = await client.SplitPersonAsync(request, cancellationToken);
            Print(output, changed.ChangeId, changed.ChangedCount);
        });
    }

    public static Command Undo(GlobalOptions globals)
    {
        var collection = CommonOptions.Faces();
        var change = new Argument<string>("change") { Description = "Id of the change.", HelpName = "CHANGE" };
        var command = new Command("undo", "Undoes a change of persons. Faces that were changed again since are left as they are.")
        {
            change, collection,
        };
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var request = new UndoPersonChangeRequest { Collection = parsed.GetValue(collection), ChangeId = parsed.GetValue(change) };
            var undone = await client.UndoPersonChangeAsync(request, cancellationToken);
            output.Object(new { undone.RestoredCount, undone.SkippedCount });
            var skipped = undone.SkippedCount > 0
                ? $", {FaceFields.Count(undone.SkippedCount, "face", "faces")} changed again since and left as they are"
                : "";
            output.Line($"{FaceFields.Count(undone.RestoredCount, "face", "faces")} restored{skipped}");
        });
    }

    private static Argument<string[]> Points(string description) =>
        new("points") { Description = description, HelpName = "POINT", Arity = ArgumentArity.OneOrMore };

    private static void Print(Output output, string changeId, long changed)
    {
        output.Object(new { ChangeId = changeId, ChangedCount = changed });
        var undo = changed > 0 ? $"; 'embeddings people undo {ErrorLine.OneLine(changeId)}' reverts it" : "";
        output.Line($"{FaceFields.Count(changed, "face", "faces")} changed{undo}");
    }
}
