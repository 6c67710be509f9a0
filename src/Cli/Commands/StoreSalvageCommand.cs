using System.CommandLine;
using Embeddings.Cli.Hosting;
using Embeddings.Cli.Printing;
using Embeddings.Server.Hosting;
using Embeddings.Storage.Sqlite;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings store salvage --to DIR</c>: saves what is readable of a damaged embedded store.</summary>
internal static class StoreSalvageCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var to = new Option<string>("--to") { Description = "Directory of the new store.", HelpName = "DIR", Required = true };
        var salvage = new Command("salvage",
            "Writes the points of a damaged embedded store that are readable and have the right checksum to a new store. "
                + "The damaged store must not be open in a server and is not changed; its directory is a setting: "
                + "--Store:Embedded:Directory=DIR. The exit code is 2 if points were lost.")
        {
            to,
        };
        salvage.TreatUnmatchedTokensAsErrors = false;
        salvage.SetAction(async (parsed, cancellationToken) =>
        {
            StoreCommand.RequireSettings(parsed);
            using var repair = StoreRepair.Open(OpenStore.EmbeddedDirectory(parsed.UnmatchedTokens));
            // Everything that the old store holds must fit.
            string[] settings =
            [
                $"--Store:Embedded:Directory={parsed.GetValue(to)}",
                "--Store:Embedded:MaxPoints=100000000",
                "--Store:Embedded:MaxCollections=100000",
                "--Store:Embedded:MaxDimension=1048576",
            ];
            await using var target = await OpenStore.OpenAsync(StoreKind.Embedded, settings, cancellationToken);
            if ((await target.Store.ListCollectionsAsync(cancellationToken)).Count > 0)
            {
                throw ArgumentErrors.New($"--to must be a new store; '{parsed.GetValue(to)}' holds collections.");
            }
            var output = globals.Output(parsed);
            var isComplete = true;
            await repair.SalvageAsync(
                target.Store,
                collection =>
                {
                    isComplete &= collection.IsComplete && collection.Lost.Count == 0;
                    Print(output, collection);
                },
                cancellationToken);
            return isComplete ? ExitCode.Done : ExitCode.SomeItemsFailed;
        });
        return salvage;
    }

    private static void Print(Output output, CollectionSalvage collection)
    {
        output.Object(new
        {
            Collection = collection.Name,
            collection.Saved,
            Lost = collection.Lost.Count,
            Complete = collection.IsComplete,
        });
        var more = collection.IsComplete ? "" : "; parts of the file are not readable, so that more may be lost";
        output.Line($"{collection.Name}: {collection.Saved:N0} points saved, {collection.Lost.Count:N0} lost{more}");
        foreach (var point in collection.Lost)
        {
            output.Note($"{collection.Name}: lost '{point}'");
        }
    }
}
