using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.Primitives;
using Embeddings.Tooling.Ingesting;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings ingest DIR|LIST.jsonl</c>: embeds and stores images.</summary>
internal static class IngestCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var path = new Argument<string>("path")
        {
            Description = "A directory of images, whose relative paths become the job ids; or an item list with one "
                + "JSON object per line. Hidden files, and files that have neither the extension nor the content of an "
                + "image, are skipped and counted.",
            HelpName = "DIR|LIST.jsonl",
        };
        var model = CommonOptions.Model();
        var collection = CollectionOptions.WithImages();
        var resume = new Option<bool>("--resume", "-r")
        {
            Description = "Skip items that are stored already. All points of the collection must be of the same model.",
        };
        var failed = CommonOptions.Text(
            "--failed",
            "FILE",
            "File for the failed items, as an item list. [default: NAME.failed.jsonl in the working directory, created "
            + "only if an item fails]");
        var recursive = new Option<bool>("--recursive")
        {
            Description = "Include subdirectories.",
            DefaultValueFactory = _ => true,
        };
        var maxBytes = CommonOptions.Number(
            "--max-bytes",
            ImageFile.DefaultMaxBytes,
            1,
            1 << 30,
            "Largest image to send, in bytes. The server has its own limit (Imaging:MaxEncodedBytes).");
        var command = new Command(
            "ingest",
            "Embeds and stores the images of a directory or an item list. Exit code 0: all are stored; 2: some failed, "
            + "each is reported; 1: it could not run.")
        {
            path, model, resume, failed, recursive, maxBytes,
        };
        collection.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var given = parsed.GetValue(path)!;
            var output = globals.Output(parsed);
            var settings = new IngestSettings(
                parsed.GetValue(collection.Kind),
                parsed.GetValue(model)!,
                collection.Read(parsed),
                parsed.GetValue(maxBytes));
            var list = parsed.GetValue(failed) ?? $"{IngestSource.NameOf(given)}.failed.jsonl";
            using var failures = new FailedItems(Path.GetFullPath(list));
            if (failures.FilePath == Path.GetFullPath(given))
            {
                throw ArgumentErrors.New("--failed must not be the item list itself.");
            }
            var source = await IngestSource.OpenAsync(
                given, parsed.GetValue(recursive), failures.FilePath, cancellationToken);
            using var client = globals.Client(parsed);
            var embedder = await ModelAsync(client, settings, cancellationToken);
            if (parsed.GetValue(failed) is not null)
            {
                failures.Open();
            }
            var stored = parsed.GetValue(resume)
                ? await StoredIds.LoadAsync(client, settings.Collection, embedder, output.Note, cancellationToken)
                : null;
            return await IngestAsync(client, output, settings, source, stored, failures, cancellationToken);
        });
        return command;
    }

    // One cheap call first, so that a missing server or model is one line and not one failure per image.
    private static async Task<Model> ModelAsync(
        EmbeddingsClient client, IngestSettings settings, CancellationToken cancellationToken)
    {
        if (settings.Model.Length > 0)
        {
            return (await client.GetModelAsync(new GetModelRequest { Name = settings.Model }, cancellationToken)).Model;
        }
        var kind = settings.Kind == ItemKind.Face ? ModelKind.Face : ModelKind.Image;
        return await client.ListAllModelsAsync(cancellationToken)
            .FirstOrDefaultAsync(model => model.DefaultForKind && model.Kind == kind, cancellationToken)
            ?? throw new ToolException($"The server has no {settings.Kind.Word()} model.", reason: Reasons.ModelNotFound);
    }

    private static async Task<int> IngestAsync(
        EmbeddingsClient client,
        Output output,
        IngestSettings settings,
        IngestSource source,
        StoredIds? stored,
        FailedItems failures,
        CancellationToken cancellationToken)
    {
        var rate = new Rate(TimeProvider.System);
        var counts = default(ItemCounts);
        try
        {
            await Progress.RunAsync(output, source.Name, source.Total, progress =>
            {
                var run = new IngestRun(client, settings, stored, failures, (outcome, soFar) =>
                {
                    counts = soFar;
                    Print(output, outcome);
                    progress.Report(soFar);
                });
                return run.RunAsync(source.Items, cancellationToken);
            });
        }
        finally
        {
            // Also if the stream broke: what was stored is stored, and --resume continues from there.
            Summarize(output, counts, source.Ignored, rate, settings.Collection, failures.FilePath);
        }
        return counts.Failed > 0 ? ExitCode.SomeItemsFailed : ExitCode.Done;
    }

    private static void Print(Output output, IngestOutcome outcome)
    {
        var (item, line) = (outcome.Item, outcome.Item.Line);
        if (outcome.Ack is { } ack)
        {
            output.Object(new { line!.Path, line.JobId, ack.PointId, ack.Collection });
        }
        else if (outcome.Error is { } error)
        {
            var fields = new { Line = item.Number, line?.Path, line?.JobId, Error = JsonFields.Of(error) };
            output.Object(fields, omitNulls: true);
            var name = line is null ? $"line {item.Number}" : ErrorLine.OneLine(line.Path);
            output.Note($"{name}: {ErrorLine.Of(error)}");
        }
    }

    private static void Summarize(
        Output output, ItemCounts counts, IgnoredFiles ignored, Rate rate, string collection, string failedPath)
    {
        var seconds = rate.Elapsed.TotalSeconds;
        var perSecond = rate.Of(counts);
        var summary = new
        {
            Collection = collection,
            counts.Stored,
            counts.Skipped,
            counts.Failed,
            ignored.Hidden,
            ignored.NotImages,
            Seconds = Math.Round(seconds, 3),
            ItemsPerSecond = Math.Round(perSecond, 1),
        };
        output.Object(new { Summary = summary });
        if (counts.Failed > 0)
        {
            output.Note($"failed items: {failedPath}");
        }
        if (ignored != default)
        {
            output.Line($"skipped {ignored}");
        }
        var text = $"{counts.Stored:N0} stored, {counts.Skipped:N0} skipped, {counts.Failed:N0} failed";
        output.Line($"{text} in {seconds:0.0} s ({perSecond:N0} items/s), collection {collection}");
    }
}
