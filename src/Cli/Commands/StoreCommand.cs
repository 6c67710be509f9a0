using System.CommandLine;
using Embeddings.Cli.Hosting;
using Embeddings.Cli.Printing;
using Embeddings.Server.Hosting;
using Embeddings.Tooling.Stores;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings store copy --from embedded --to qdrant</c>: copies collections between stores.</summary>
internal static class StoreCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var from = Kind("--from", "Store to copy from.");
        var to = Kind("--to", "Store to copy to.");
        var collections = new Option<string[]>("--collection", "-c")
        {
            Description = "Collection to copy. Can be repeated. [default: all]",
        };
        var state = CommonOptions.Text(
            "--state",
            null,
            "File for the progress of the copy. [default: ./store-copy-FROM-TO.json, removed at the end]");
        var copy = new Command(
            "copy",
            "Copies collections from one store to another. The embedded store must not be open in a server. The settings "
            + "of the stores are those of the server: --Store:Embedded:Directory=DIR and --Store:Qdrant:Url=URL. "
            + "An interrupted copy resumes when it is started again.")
        {
            from, to, collections, state,
        };
        copy.TreatUnmatchedTokensAsErrors = false;
        copy.SetAction(async (parsed, cancellationToken) =>
        {
            var source = parsed.GetValue(from);
            var target = parsed.GetValue(to);
            if (source == target)
            {
                throw ArgumentErrors.New($"--from and --to must be different stores; got {source} twice.");
            }
            RequireSettings(parsed);
            var path = parsed.GetValue(state) ?? $"store-copy-{source}-{target}.json".ToLowerInvariant();
            await using var reading = await OpenStore.OpenAsync(source, parsed.UnmatchedTokens, cancellationToken);
            await using var writing = await OpenStore.OpenAsync(target, parsed.UnmatchedTokens, cancellationToken);
            var copier = new StoreCopier(reading.Store, writing.Store);
            var names = parsed.GetValue(collections)!;
            return await CopyAsync(globals.Output(parsed), copier, names, CopyState.Read(path), cancellationToken);
        });
        return new Command("store", "Works on stores without a server.")
        {
            copy,
            StoreVerifyCommand.Create(globals),
            StoreSalvageCommand.Create(globals),
            StoreCompactCommand.Create(globals),
        };
    }

    /// <summary>Rejects arguments that are neither options nor settings of a store.</summary>
    /// <exception cref="ToolException">There is another argument.</exception>
    public static void RequireSettings(ParseResult parsed)
    {
        static bool IsSetting(string token) => token.StartsWith("--Store:", StringComparison.OrdinalIgnoreCase);
        if (parsed.UnmatchedTokens.FirstOrDefault(token => !IsSetting(token)) is { } other)
        {
            var why = ArgumentErrors.Unrecognized(parsed.CommandResult, other);
            throw ArgumentErrors.New($"{why} A setting of a store is --Store:Kind:Key=value.");
        }
    }

    private static async Task<int> CopyAsync(
        Output output, StoreCopier copier, string[] names, CopyState state, CancellationToken cancellationToken)
    {
        var allEqual = true;
        var collections = await copier.CollectionsAsync(names, cancellationToken);
        foreach (var collection in collections)
        {
            var copy = default(CollectionCopy);
            await Progress.RunAsync(output, collection.Name, collection.Count, async progress =>
                copy = await copier.CopyAsync(collection, state, progress, cancellationToken));
            allEqual &= copy.AreEqual;
            output.Object(new
            {
                Collection = collection.Name,
                copy.Copied,
                SourceCount = copy.Source,
                TargetCount = copy.Target,
                Equal = copy.AreEqual,
            });
            var counts = $"{copy.Source:N0} points in the source, {copy.Target:N0} in the target";
            output.Line($"{collection.Name}: {copy.Copied:N0} copied; {counts}{(copy.AreEqual ? "" : ": NOT EQUAL")}");
            if (copy.LacksGraph)
            {
                output.Note($"{collection.Name}: its approximate index was not copied: Qdrant has its own.");
            }
        }
        var aliases = await copier.CopyAliasesAsync(collections, cancellationToken);
        if (aliases > 0)
        {
            output.Line($"{aliases:N0} aliases copied");
        }
        if (allEqual)
        {
            state.Remove();
            return ExitCode.Done;
        }
        output.Note(
            "The counts differ: the target had other points, or one of the stores was written to during the copy.");
        return ExitCode.Failed;
    }

    private static Option<StoreKind> Kind(string name, string description) =>
        new Option<StoreKind>(name) { Description = description, HelpName = "embedded|qdrant", Required = true }
            .AcceptOnlyFromAmong("embedded", "qdrant");
}
