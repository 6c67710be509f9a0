using System.CommandLine;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings hold</c>: puts points on legal hold, or ends the hold.</summary>
internal static class HoldCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var ids = new Argument<string[]>("ids") { Description = "Ids of the points.", Arity = ArgumentArity.ZeroOrMore };
        var end = new Option<bool>("--end") { Description = "End the hold." };
        var collection = CollectionOptions.WithoutImages();
        var filter = new FilterOptions();
        var command = new Command(
            "hold",
            "Puts points on legal hold: they are neither deleted nor replaced until the hold ends. With conditions, without "
            + "--kind and --collection, in every collection.")
        {
            ids, end,
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
                    "Set either ids or conditions (--job-id, --media-store-id, --face-index, --attribute, --filter).");
            }
            var request = new SetLegalHoldRequest
            {
                Collection = which is null || collection.IsGiven(parsed.CommandResult) ? collection.Read(parsed) : "",
                PointIds = { points },
                Filter = which,
                Hold = !parsed.GetValue(end),
            };
            var changed = (await client.SetLegalHoldAsync(request, cancellationToken)).ChangedCount;
            output.Object(new { request.Hold, Changed = changed });
            output.Line($"{changed} changed");
        });
    }
}
