using System.CommandLine;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings delete ID...|--job-id JOB|...|--whole-collection</c>: removes points and says how many there were.</summary>
internal static class DeleteCommand
{
    // The contract's limit of ids in a call.
    private const int MaxIds = 10_000;

    public static Command Create(GlobalOptions globals)
    {
        var ids = new Argument<string[]>("ids") { Description = "Ids of points.", Arity = ArgumentArity.ZeroOrMore };
        var kind = CommonOptions.Kind();
        var collection = CommonOptions.Collection();
        var whole = new Option<bool>("--whole-collection") { Description = "Remove the collection that --collection names, with all its points." };
        var filter = new FilterOptions();
        var command = new Command("delete",
            "Removes points by id or by condition. --job-id alone, without --kind and --collection, forgets the job in every collection.")
        {
            ids, kind, collection, whole,
        };
        filter.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (points, which) = (parsed.GetValue(ids)!, filter.Read(parsed));
            if (parsed.GetValue(whole))
            {
                return await DropAsync(globals, parsed, parsed.GetValue(collection), points.Length > 0 || which is not null, cancellationToken);
            }
            if (points.Length == 0 == which is null)
            {
                throw new CliException("give either ids or conditions (--job-id, --media-store-id, --face-index, --attribute) to delete by");
            }
            var output = globals.Output(parsed);
            using var client = globals.Client(parsed);
            var named = parsed.GetValue(collection) is not null || parsed.GetResult(kind) is { Implicit: false };
            var where = parsed.CollectionOf(collection, kind);
            var deleted = which is null ? await DeleteAsync(client, where, points, cancellationToken)
                : IsJobAlone(which) ? await ForgetAsync(client, which.JobId, named ? where : "", cancellationToken)
                : (await client.DeleteVectorsAsync(new DeleteVectorsRequest { Collection = where, Filter = which }, cancellationToken)).DeletedCount;
            output.Object(json => json.WriteNumber("deleted", deleted));
            output.Line($"{deleted} deleted");
            return ExitCode.Done;
        });
        return command;
    }

    private static async Task<int> DropAsync(GlobalOptions globals, ParseResult parsed, string? collection, bool hasMore, CancellationToken cancellationToken)
    {
        // Named by the person, never by a default: there is no way back.
        if (collection is null || hasMore)
        {
            throw new CliException("--whole-collection needs --collection, and no ids or conditions");
        }
        var output = globals.Output(parsed);
        using var client = globals.Client(parsed);
        var deleted = (await client.DeleteCollectionAsync(new DeleteCollectionRequest { Collection = collection }, cancellationToken)).DeletedCount;
        output.Object(json =>
        {
            json.WriteString("collection", collection);
            json.WriteNumber("deleted", deleted);
        });
        output.Line($"{collection} is gone, with {deleted} points");
        return ExitCode.Done;
    }

    private static bool IsJobAlone(Filter filter) => filter.HasJobId && filter.Equals(new Filter { JobId = filter.JobId });

    private static async Task<long> ForgetAsync(EmbeddingsClient client, string jobId, string collection, CancellationToken cancellationToken) =>
        (await client.DeleteByJobIdAsync(new DeleteByJobIdRequest { JobId = jobId, Collection = collection }, cancellationToken)).DeletedCount;

    private static async Task<long> DeleteAsync(EmbeddingsClient client, string collection, string[] ids, CancellationToken cancellationToken)
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
