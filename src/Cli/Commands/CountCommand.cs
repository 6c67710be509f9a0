using System.CommandLine;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings count</c>: the number of points.</summary>
internal static class CountCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var kind = CommonOptions.Kind();
        var collection = CommonOptions.Collection();
        var filter = new FilterOptions();
        var command = new Command("count", "Counts the points of a collection that match the conditions.") { kind, collection };
        filter.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            using var client = globals.Client(parsed);
            var request = new CountVectorsRequest { Collection = parsed.CollectionOf(collection, kind), Filter = filter.Read(parsed) };
            var count = (await client.CountVectorsAsync(request, cancellationToken)).Count;
            output.Object(json =>
            {
                json.WriteString("collection", request.Collection);
                json.WriteNumber("count", count);
            });
            output.Line($"{count}");
            return ExitCode.Done;
        });
        return command;
    }
}
