using System.CommandLine;
using Embeddings.Client;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings count</c>: the number of points.</summary>
internal static class CountCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var collection = CollectionOptions.WithoutImages();
        var filter = new FilterOptions();
        var command = new Command("count", "Counts the points of a collection that match the conditions.");
        collection.AddTo(command);
        command.Validators.Add(collection.RequireOne);
        filter.AddTo(command);
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var name = collection.Read(parsed);
            var count = await client.CountVectorsAsync(name, filter.Read(parsed), cancellationToken);
            output.Object(new { Collection = name, Count = count });
            output.Line($"{count}");
        });
    }
}
