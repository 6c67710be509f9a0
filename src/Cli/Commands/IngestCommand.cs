using System.CommandLine;
using Embeddings.Cli.Ingesting;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings ingest DIR|MANIFEST.jsonl</c>: embeds and stores many pictures.</summary>
internal static class IngestCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var path = new Argument<string>("path")
        {
            Description = "A folder of pictures, each file with its name as job_id; or a manifest with one JSON object a line.",
            HelpName = "DIR|MANIFEST.jsonl",
        };
        var kind = CommonOptions.Kind(required: true);
        var model = CommonOptions.Model();
        var collection = CommonOptions.Collection();
        var resume = new Option<bool>("--resume", "-r") { Description = "Pass over what is stored already." };
        var failed = new Option<string?>("--failed")
        {
            Description = "Where failed items go, one JSON object a line: a manifest again. "
                + "Where absent, NAME.failed.jsonl in the working folder, made only if an item fails.",
            HelpName = "FILE",
        };
        var recursive = new Option<bool>("--recursive") { Description = "Go through the folder's folders too.", DefaultValueFactory = _ => true };
        var maxBytes = CommonOptions.Number("--max-bytes", PictureFile.DefaultMaxBytes, 1, 1 << 30,
            "The largest picture to send, bytes; the server has its own limit (Imaging:MaxEncodedBytes).");
        var command = new Command("ingest",
            "Embeds and stores a folder or a manifest of pictures. Exit code 0: all are stored; 2: some failed, each is reported; 1: it could not run.")
        {
            path, kind, model, collection, resume, failed, recursive, maxBytes,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (given, output) = (parsed.GetValue(path)!, globals.Output(parsed));
            var settings = new IngestSettings(
                parsed.GetValue(kind), parsed.GetValue(model)!, parsed.CollectionOf(collection, kind), parsed.GetValue(maxBytes));
            using var failures = new FailedItems(Path.GetFullPath(parsed.GetValue(failed) ?? $"{IngestSource.NameOf(given)}.failed.jsonl"));
            if (failures.FilePath == Path.GetFullPath(given))
            {
                throw new CliException("--failed is the manifest itself");
            }
            var source = await IngestSource.OpenAsync(given, parsed.GetValue(recursive), failures.FilePath, cancellationToken);
            using var client = globals.Client(parsed);
            await CheckServerAsync(client, settings.Model, cancellationToken);
            if (parsed.GetValue(failed) is not null)
            {
                failures.Open();
            }
            var stored = parsed.GetValue(resume) ? await StoredIds.LoadAsync(client, settings.Collection, cancellationToken) : null;
            return await IngestAsync(client, output, settings, source, stored, failures, cancellationToken);
        });
        return command;
    }

    // One cheap call first: "no server" or "no such model" is one line, not as many failures as there are pictures.
    private static async Task CheckServerAsync(EmbeddingsClient client, string model, CancellationToken cancellationToken)
    {
        if (model.Length > 0)
        {
            await client.GetModelAsync(new GetModelRequest { Name = model }, cancellationToken);
        }
        else
        {
            await client.ListModelsAsync(new ListModelsRequest { PageSize = 1 }, cancellationToken);
        }
    }

    private static async Task<int> IngestAsync(
        EmbeddingsClient client, Output output, IngestSettings settings, IngestSource source, StoredIds? stored, FailedItems failures,
        CancellationToken cancellationToken)
    {
        var rate = new Rate(TimeProvider.System);
        var tally = default(Tally);
        try
        {
            await ProgressView.RunAsync(output, source.Name, source.Total, async progress =>
            {
                var report = new IngestReport(output, failures, progress);
                try
                {
                    await new IngestRun(client, settings, stored, report).RunAsync(source.Items, cancellationToken);
                }
                finally
                {
                    tally = report.Tally;
                }
            });
        }
        finally
        {
            // Also where the stream broke: what was stored is stored, and --resume goes on from there.
            Summarize(output, tally, rate, settings.Collection, failures.FilePath);
        }
        return tally.Failed > 0 ? ExitCode.SomeItemsFailed : ExitCode.Done;
    }

    private static void Summarize(Output output, Tally tally, Rate rate, string collection, string failedPath)
    {
        var (seconds, perSecond) = (rate.Elapsed.TotalSeconds, rate.Of(tally));
        output.Object(json =>
        {
            json.WriteStartObject("summary");
            json.WriteString("collection", collection);
            json.WriteNumber("stored", tally.Stored);
            json.WriteNumber("skipped", tally.Skipped);
            json.WriteNumber("failed", tally.Failed);
            json.WriteNumber("seconds", Math.Round(seconds, 3));
            json.WriteNumber("items_per_second", Math.Round(perSecond, 1));
            json.WriteEndObject();
        });
        if (tally.Failed > 0)
        {
            output.Note($"failed items are in {failedPath}");
        }
        var counts = $"{tally.Stored:N0} stored, {tally.Skipped:N0} skipped, {tally.Failed:N0} failed";
        output.Line($"{counts} in {seconds:0.0} s ({perSecond:N0} items/s), collection {collection}");
    }
}
