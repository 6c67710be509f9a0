using System.CommandLine;
using Embeddings.Client;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings count</c>: the number of points.</summary>
internal static class CountCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var kind = CommonOptions.Kind();
        var collection = CommonOptions.Collection();
        var filter = new FilterOptions();
        var command =
            new Command("count", "Counts the points of a collection that match the conditions.") { kind, collection };
        filter.AddTo(command);
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var name = parsed.CollectionOf(collection, kind);
            var count = await client.CountVectorsAsync(name, filter.Read(parsed), cancellationToken);
            output.Object(new { Collection = name, Count = count });
            output.Line($"{count}");
        });
    }
}
