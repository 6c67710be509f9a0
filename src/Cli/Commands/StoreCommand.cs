using System.CommandLine;
using Embeddings.Cli.Copying;
using Embeddings.Cli.Printing;
using Embeddings.Server.Hosting;
using Embeddings.Storage;
using Embeddings.Tooling.Stores;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings store copy --from embedded --to qdrant</c>: moves to a larger store, or back.</summary>
internal static class StoreCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var from = Kind("--from", "The store to copy from: embedded or qdrant.");
        var to = Kind("--to", "The store to copy to: embedded or qdrant.");
        var collections = new Option<string[]>("--collection", "-c") { Description = "A collection to copy; may be given several times. All where absent." };
        var state = new Option<string?>("--state") { Description = "The file that remembers how far it is. [default: ./store-copy-FROM-TO.json, removed at the end]" };
        var copy = new Command("copy",
            "Copies collections from one store to another. No server may have the embedded one open. Settings of the stores are those of the server, "
            + "--Store:Embedded:Directory=DIR and --Store:Qdrant:Url=URL. Started again after it was broken off, it goes on where it was.")
        {
            from, to, collections, state,
        };
        copy.TreatUnmatchedTokensAsErrors = false;
        copy.SetAction(async (parsed, cancellationToken) =>
        {
            var (source, target) = (parsed.GetValue(from), parsed.GetValue(to));
            if (source == target)
            {
                throw new CliException("--from and --to are the same store");
            }
            if (parsed.UnmatchedTokens.FirstOrDefault(token => !token.StartsWith("--Store:", StringComparison.OrdinalIgnoreCase)) is { } other)
            {
                throw new CliException($"unrecognized argument '{other}'; a setting of a store is --Store:Kind:Key=value");
            }
            var path = parsed.GetValue(state) ?? $"store-copy-{source}-{target}.json".ToLowerInvariant();
            await using var reading = await StoreAddress.OpenAsync(source, parsed.UnmatchedTokens, cancellationToken);
            await using var writing = await StoreAddress.OpenAsync(target, parsed.UnmatchedTokens, cancellationToken);
            return await CopyAsync(globals.Output(parsed), reading.Store, writing.Store, parsed.GetValue(collections)!, CopyState.Read(path), cancellationToken);
        });
        return new Command("store", "Works on stores, without a server.") { copy };
    }

    private static async Task<int> CopyAsync(
        Output output, IVectorStore source, IVectorStore target, string[] names, CopyState state, CancellationToken cancellationToken)
    {
        var there = await source.ListCollectionsAsync(cancellationToken);
        if (names.FirstOrDefault(name => there.All(collection => collection.Name != name)) is { } missing)
        {
            throw new CliException($"there is no collection '{missing}' to copy");
        }
        var failed = 0;
        foreach (var collection in there.Where(collection => names.Length == 0 || names.Contains(collection.Name)))
        {
            var copied = 0L;
            var (inSource, inTarget) = (collection.Count, 0L);
            await ProgressView.RunAsync(output, collection.Name, collection.Count, async progress =>
            {
                if (state[collection.Name] == CopyState.Done)
                {
                    inTarget = await target.CountAsync(collection.Name, PointFilter.All, cancellationToken);
                    return;
                }
                (inSource, inTarget) = await new StoreCopier(source, target).CopyAsync(
                    collection,
                    state[collection.Name],
                    (points, next) =>
                    {
                        copied += points;
                        state.Set(collection.Name, next);
                        progress.Report(new Tally(copied, 0, 0));
                    },
                    cancellationToken);
            });
            var equal = inSource == inTarget;
            failed += equal ? 0 : 1;
            output.Object(json =>
            {
                json.WriteString("collection", collection.Name);
                json.WriteNumber("copied", copied);
                json.WriteNumber("source_count", inSource);
                json.WriteNumber("target_count", inTarget);
                json.WriteBoolean("equal", equal);
            });
            output.Line($"{collection.Name}: {copied:N0} copied; {inSource:N0} points in the source, {inTarget:N0} in the target{(equal ? "" : ": NOT EQUAL")}");
        }
        if (failed == 0)
        {
            state.Remove();
            return ExitCode.Done;
        }
        output.Note("the counts differ: the target had other points, or someone wrote to one of them meanwhile");
        return ExitCode.Failed;
    }

    private static Option<StoreKind> Kind(string name, string description) =>
        new Option<StoreKind>(name) { Description = description, HelpName = "embedded|qdrant", Required = true }.AcceptOnlyFromAmong("embedded", "qdrant");
}
