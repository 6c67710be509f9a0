using System.CommandLine;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary>
/// <c>embeddings delete ID...|--job-id JOB|...|--whole-collection</c>: deletes points and prints their number.
/// </summary>
internal static class DeleteCommand
{
    // The contract's limit per call.
    private const int MaxIds = 10_000;

    public static Command Create(GlobalOptions globals)
    {
        var ids = new Argument<string[]>("ids") { Description = "Ids of the points.", Arity = ArgumentArity.ZeroOrMore };
        var kind = CommonOptions.Kind();
        var collection = CommonOptions.Collection();
        var whole = new Option<bool>("--whole-collection")
        {
            Description = "Delete the collection given by "
            + "--collection, with all its points."
        };
        var filter = new FilterOptions();
        var command = new Command("delete",
            "Deletes points by id or by condition. --job-id alone, without --kind and --collection, deletes the job "
                + "in every collection.")
        {
            ids, kind, collection, whole,
        };
        filter.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var points = parsed.GetValue(ids)!;
            var which = filter.Read(parsed);
            if (parsed.GetValue(whole))
            {
                return await DropAsync(globals, parsed, parsed.GetValue(collection), points.Length > 0 || which is not null, cancellationToken);
            }
            if (points.Length == 0 == which is null)
            {
                throw new ToolException("Set either ids or conditions (--job-id, --media-store-id, --face-index, "
                    + "--attribute).");
            }
            var output = globals.Output(parsed);
            using var client = globals.Client(parsed);
            var named = parsed.GetValue(collection) is not null || parsed.GetResult(kind) is { Implicit: false };
            var where = parsed.CollectionOf(collection, kind);
            var deleted = which is null
                ? await DeleteAsync(client, where, points, cancellationToken)
                : await DeleteAsync(client, where, which, inEveryCollection: !named, cancellationToken);
            output.Object(json => json.WriteNumber("deleted", deleted));
            output.Line($"{deleted} deleted");
            return ExitCode.Done;
        });
        return command;
    }

    private static async Task<int> DropAsync(
        GlobalOptions globals, ParseResult parsed, string? collection, bool hasMore, CancellationToken cancellationToken)
    {
        // Never a default collection: the deletion cannot be undone.
        if (collection is null || hasMore)
        {
            throw new ToolException("--whole-collection requires --collection, and no ids or conditions.");
        }
        var output = globals.Output(parsed);
        using var client = globals.Client(parsed);
        var deleted = (await client.DeleteCollectionAsync(new DeleteCollectionRequest { Collection = collection }, cancellationToken)).DeletedCount;
        output.Object(json =>
        {
            json.WriteString("collection", collection);
            json.WriteNumber("deleted", deleted);
        });
        output.Line($"{collection} deleted with {deleted} points");
        return ExitCode.Done;
    }

    private static async Task<long> DeleteAsync(
        EmbeddingsClient client, string collection, Filter filter, bool inEveryCollection, CancellationToken cancellationToken)
    {
        if (filter.HasJobId && filter.Equals(new Filter { JobId = filter.JobId }))
        {
            var byJob = new DeleteByJobIdRequest { JobId = filter.JobId, Collection = inEveryCollection ? "" : collection };
            return (await client.DeleteByJobIdAsync(byJob, cancellationToken)).DeletedCount;
        }
        return (await client.DeleteVectorsAsync(new DeleteVectorsRequest { Collection = collection, Filter = filter }, cancellationToken)).DeletedCount;
    }

    private static async Task<long> DeleteAsync(
        EmbeddingsClient client, string collection, string[] ids, CancellationToken cancellationToken)
    {
        var deleted = 0L;
        foreach (var some in ids.Chunk(MaxIds))
        {
            var answer = await client.DeleteVectorsAsync(new DeleteVectorsRequest { Collection = collection, PointIds = { some } }, cancellationToken);
            deleted += answer.DeletedCount;
        }
        return deleted;
    }
}
