using System.CommandLine;
using Embeddings.Cli.Hosting;
using Embeddings.Storage.Sqlite;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings store compact</c>: rewrites the file of the embedded store without unused space.</summary>
internal static class StoreCompactCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var dropDamaged = new Option<bool>("--drop-damaged")
        {
            Description = "Also delete the points that servers found damaged at their start and moved aside.",
        };
        var compact = new Command("compact",
            "Rewrites the file of the embedded store: nothing that was deleted or replaced is left in it, and unused space is "
                + "given back. The store must not be open in a server, which removes deleted points itself; its directory is a "
                + "setting: --Store:Embedded:Directory=DIR. Needs as much free disk space as the file has.")
        {
            dropDamaged,
        };
        compact.TreatUnmatchedTokensAsErrors = false;
        compact.SetAction((parsed, cancellationToken) => Task.Run(
            () =>
            {
                StoreCommand.RequireSettings(parsed);
                using var repair = StoreRepair.Open(OpenStore.EmbeddedDirectory(parsed.UnmatchedTokens));
                var (before, after) = repair.Compact(parsed.GetValue(dropDamaged));
                var output = globals.Output(parsed);
                output.Object(new { BytesBefore = before, BytesAfter = after });
                output.Line($"{before:N0} bytes before, {after:N0} bytes after");
                return ExitCode.Done;
            },
            cancellationToken));
        return compact;
    }
}
