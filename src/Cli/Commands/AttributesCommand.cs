using System.CommandLine;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings attributes</c>: changes the attributes of stored points.</summary>
internal static class AttributesCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var ids = new Argument<string[]>("ids") { Description = "Ids of the points.", Arity = ArgumentArity.ZeroOrMore };
        var set = new Option<string[]>("--set")
        {
            Description = "Attribute to set. Can be repeated. Numbers, true and false are typed values; quote a string that looks like one: "
                + "key='\"1\"'.",
            HelpName = "KEY=VALUE",
            DefaultValueFactory = _ => [],
        };
        var remove = new Option<string[]>("--remove")
        {
            Description = "Attribute to remove. Can be repeated.",
            HelpName = "KEY",
            DefaultValueFactory = _ => [],
        };
        var replace = new Option<bool>("--replace") { Description = "Remove all other attributes." };
        var collection = CollectionOptions.WithoutImages();
        var filter = new FilterOptions();
        var command = new Command(
            "attributes",
            "Changes attributes of points, selected by their ids or by conditions. Vectors and other fields stay as they are.")
        {
            ids, set, remove, replace,
        };
        collection.AddTo(command);
        command.Validators.Add(collection.RequireOne);
        filter.AddTo(command);
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var points = parsed.GetValue(ids)!;
            var which = filter.Read(parsed);
            if (points.Length == 0 == which is null)
            {
                throw ArgumentErrors.New(
                    "Set either ids or conditions (--job-id, --media-store-id, --face-index, --attribute).");
            }
            var request = new SetAttributesRequest
            {
                Collection = collection.Read(parsed),
                PointIds = { points },
                Filter = which,
                Attributes = new(),
                RemoveKeys = { parsed.GetValue(remove)! },
                Replace = parsed.GetValue(replace),
            };
            foreach (var (key, value) in parsed.GetValue(set)!.Select(FilterOptions.ParseValue))
            {
                request.Attributes.Fields[key] = value;
            }
            var matched = (await client.SetAttributesAsync(request, cancellationToken)).MatchedCount;
            output.Object(new { Matched = matched });
            output.Line($"{matched} changed");
        });
    }
}
