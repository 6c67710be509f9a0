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
        var collection = CollectionOptions.WithoutImages();
        var whole = new Option<bool>("--whole-collection")
        {
            Description = "Delete the collection given by --collection, with all its points.",
        };
        var filter = new FilterOptions();
        var command = new Command(
            "delete",
            "Deletes points by id or by condition. --job-id alone, without --kind and --collection, deletes the job "
            + "in every collection.")
        {
            ids, whole,
        };
        collection.AddTo(command);
        command.Validators.Add(collection.RequireOne);
        filter.AddTo(command);
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var points = parsed.GetValue(ids)!;
            var which = filter.Read(parsed);
            var name = collection.Read(parsed);
            if (parsed.GetValue(whole))
            {
                // Never a default collection: the deletion cannot be undone.
                if (!collection.IsNamed(parsed.CommandResult) || points.Length > 0 || which is not null)
                {
                    throw ArgumentErrors.New("--whole-collection requires --collection, and no ids or conditions.");
                }
                var drop = new DeleteCollectionRequest { Collection = name };
                var dropped = (await client.DeleteCollectionAsync(drop, cancellationToken)).DeletedCount;
                output.Object(new { Collection = name, Deleted = dropped });
                output.Line($"{name} deleted with {dropped} points");
                return;
            }
            if (points.Length == 0 == which is null)
            {
                throw ArgumentErrors.New(
                    "Set either ids or conditions (--job-id, --media-store-id, --face-index, --attribute).");
            }
            var inEveryCollection = !collection.IsGiven(parsed.CommandResult);
            var deleted = which is null
                ? await DeleteAsync(client, name, points, cancellationToken)
                : await DeleteAsync(client, name, which, inEveryCollection, cancellationToken);
            output.Object(new { Deleted = deleted });
            output.Line($"{deleted} deleted");
        });
    }

    private static async Task<long> DeleteAsync(
        EmbeddingsClient client,
        string collection,
        Filter filter,
        bool inEveryCollection,
        CancellationToken cancellationToken)
    {
        if (filter.HasJobId && filter.Equals(new Filter { JobId = filter.JobId }))
        {
            return await client.DeleteByJobIdAsync(filter.JobId, inEveryCollection ? "" : collection, cancellationToken);
        }
        var request = new DeleteVectorsRequest { Collection = collection, Filter = filter };
        return (await client.DeleteVectorsAsync(request, cancellationToken)).DeletedCount;
    }

    private static async Task<long> DeleteAsync(
        EmbeddingsClient client, string collection, string[] ids, CancellationToken cancellationToken)
    {
        var deleted = 0L;
        foreach (var some in ids.Chunk(MaxIds))
        {
            var request = new DeleteVectorsRequest { Collection = collection, PointIds = { some } };
            deleted += (await client.DeleteVectorsAsync(request, cancellationToken)).DeletedCount;
        }
        return deleted;
    }
}
