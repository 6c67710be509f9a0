using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.V1;
using Google.Protobuf;

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
        var suppress = new Option<bool>("--suppress")
        {
            Description = "The server refuses the job or the points in the future, also from a restored backup.",
        };
        var receipt = CommonOptions.Text(
            "--receipt", "FILE", "Write a signed receipt to this file, as JSON. See 'embeddings receipt verify'.");
        var filter = new FilterOptions();
        var command = new Command(
            "delete",
            "Deletes points by id or by condition. --job-id alone, without --kind and --collection, deletes the job "
            + "in every collection.")
        {
            ids, whole, suppress, receipt,
        };
        collection.AddTo(command);
        command.Validators.Add(collection.RequireOne);
        filter.AddTo(command);
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var points = parsed.GetValue(ids)!;
            var which = filter.Read(parsed);
            var name = collection.Read(parsed);
            var proof = new ReceiptFile(parsed.GetValue(receipt));
            var isSuppressed = parsed.GetValue(suppress);
            if (parsed.GetValue(whole))
            {
                // Never a default collection: the deletion cannot be undone.
                if (!collection.IsNamed(parsed.CommandResult) || points.Length > 0 || which is not null || isSuppressed)
                {
                    throw ArgumentErrors.New("--whole-collection requires --collection, and no ids, conditions, or --suppress.");
                }
                var drop = new DeleteCollectionRequest { Collection = name, WithReceipt = proof.IsRequested };
                var dropped = await client.DeleteCollectionAsync(drop, cancellationToken);
                proof.Write(dropped.Receipt);
                Print(output, dropped.DeletedCount, dropped.HeldCount, name);
                return;
            }
            if (points.Length == 0 == which is null)
            {
                throw ArgumentErrors.New(
                    "Set either ids or conditions (--job-id, --media-store-id, --face-index, --attribute, --filter).");
            }
            if (proof.IsRequested && points.Length > MaxIds)
            {
                throw ArgumentErrors.New($"--receipt requires at most {MaxIds} ids; got {points.Length}.");
            }
            if (which is { HasJobId: true } && which.Equals(new Filter { JobId = which.JobId }))
            {
                var request = new DeleteByJobIdRequest
                {
                    JobId = which.JobId,
                    Collection = collection.IsGiven(parsed.CommandResult) ? name : "",
                    Suppress = isSuppressed,
                    WithReceipt = proof.IsRequested,
                };
                var job = await client.DeleteByJobIdAsync(request, cancellationToken);
                proof.Write(job.Receipt);
                Print(output, job.DeletedCount, job.HeldCount);
                return;
            }
            var (deleted, held) = (0L, 0L);
            foreach (var some in which is null ? points.Chunk(MaxIds) : [[]])
            {
                var request = new DeleteVectorsRequest
                {
                    Collection = name,
                    PointIds = { some },
                    Filter = which,
                    Suppress = isSuppressed,
                    WithReceipt = proof.IsRequested,
                };
                var response = await client.DeleteVectorsAsync(request, cancellationToken);
                proof.Write(response.Receipt);
                deleted += response.DeletedCount;
                held += response.HeldCount;
            }
            Print(output, deleted, held);
        });
    }

    private static void Print(Output output, long deleted, long held, string? collection = null)
    {
        output.Object(new { Collection = collection, Deleted = deleted, Held = held }, omitNulls: true);
        var kept = held > 0 ? $", {held} kept: they are on legal hold" : "";
        output.Line(collection is null || held > 0
            ? $"{deleted} deleted{kept}"
            : $"{collection} deleted with {deleted} points");
    }

    /// <summary>The file of a receipt, if one is requested.</summary>
    private sealed class ReceiptFile
    {
        private static readonly JsonFormatter Formatter = new(
            JsonFormatter.Settings.Default.WithPreserveProtoFieldNames(true).WithIndentation());

        private readonly string? _path;

        /// <summary>Checks the path before anything is deleted.</summary>
        public ReceiptFile(string? path)
        {
            _path = path;
            if (path is not null && File.Exists(path))
            {
                throw ArgumentErrors.New($"--receipt must be a new file; '{path}' exists.");
            }
        }

        public bool IsRequested => _path is not null;

        public void Write(DeletionReceipt? receipt)
        {
            if (_path is not null && receipt is not null)
            {
                File.WriteAllText(_path, Formatter.Format(receipt) + "\n");
            }
        }
    }
}
