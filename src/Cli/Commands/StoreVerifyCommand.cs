using System.CommandLine;
using Embeddings.Cli.Hosting;
using Embeddings.Cli.Printing;
using Embeddings.Storage.Sqlite;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings store verify</c>: checks the embedded store.</summary>
internal static class StoreVerifyCommand
{
    private const int ShownIds = 10;

    public static Command Create(GlobalOptions globals)
    {
        var verify = new Command("verify",
            "Checks the embedded store: the structure of the file and the checksum of every point. The store must not be "
                + "open in a server; its directory is a setting: --Store:Embedded:Directory=DIR. The exit code is 1 if "
                + "something is damaged.");
        verify.TreatUnmatchedTokensAsErrors = false;
        verify.SetAction((parsed, cancellationToken) => Task.Run(
            () =>
            {
                StoreCommand.RequireSettings(parsed);
                using var repair = StoreRepair.Open(OpenStore.EmbeddedDirectory(parsed.UnmatchedTokens));
                return Print(globals.Output(parsed), repair.Verify(cancellationToken));
            },
            cancellationToken));
        return verify;
    }

    private static int Print(Output output, StoreCheck check)
    {
        foreach (var collection in check.Collections)
        {
            output.Object(new
            {
                Collection = collection.Name,
                collection.Points,
                Damaged = collection.Damaged.Count,
                collection.WithoutChecksum,
            });
            var without = collection.WithoutChecksum > 0 ? $", {collection.WithoutChecksum:N0} without a checksum" : "";
            output.Line($"{collection.Name}: {collection.Points:N0} points, {collection.Damaged.Count:N0} damaged{without}");
            foreach (var id in collection.Damaged.Take(ShownIds))
            {
                output.Note($"{collection.Name}: point '{id}' is damaged");
            }
        }
        foreach (var problem in check.Problems)
        {
            output.Note(problem);
        }
        if (check.SetAside > 0)
        {
            output.Note($"{check.SetAside:N0} points were found damaged by a server and are in the table 'damaged'");
        }
        if (!check.IsSound)
        {
            output.Note("The store is damaged. Restore a backup, or save what is readable with 'embeddings store salvage'.");
        }
        return check.IsSound ? ExitCode.Done : ExitCode.Failed;
    }
}
