using System.CommandLine;
using System.Globalization;
using Embeddings.Cli.Printing;
using Embeddings.Tooling.Migrating;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings migrate</c>: moves an alias to a collection of another model.</summary>
internal static class MigrateCommand
{
    private const int ShownFailures = 20;

    public static Command Create(GlobalOptions globals)
    {
        var collection = new Option<string>("--collection", "-c")
        {
            Description = "Alias of the collection, by which readers and writers use it.",
            HelpName = "ALIAS",
            Required = true,
        };
        var model = new Option<string>("--model", "-m") { Description = "Name of the new model.", HelpName = "NAME", Required = true };
        var source = new Option<string>("--source", "-s")
        {
            Description = "Files of the points' images, with fields of the point in braces: {point_id}, {job_id}, {media_store_id}, {face_index}, or "
                + "{attributes.KEY}; for example 'crops/{point_id}.png'.",
            HelpName = "PATTERN",
            Required = true,
        };
        var photos = new Option<bool>("--photos")
        {
            Description = "The files are whole photos: their faces are found again, and each point gets the vector of the face that overlaps its bbox.",
        };
        var to = CommonOptions.Text("--to", "NAME", "Name of the new collection. [default: ALIAS-NAME of the model]");
        var allowMissing = new Option<bool>("--allow-missing")
        {
            Description = "Switch although points have no source, or one that cannot be embedded. They are missing in the new collection.",
        };
        var sample = CommonOptions.Number(
            "--sample", 200, 0, 1000, "Number of points whose 10 nearest neighbors are compared in both collections before the switch.");
        var maxBytes = CommonOptions.Number(
            "--max-bytes", ImageFile.DefaultMaxBytes, 1, 1 << 30, "Largest image to send, in bytes.");
        var command = new Command(
            "migrate",
            "Embeds the images of a collection again with another model, into a new collection, and switches the alias when it is complete; the collection "
            + "can be read and written during this. If interrupted, run it again. The old collection stays. Exit code 0: switched; 2: switched, and some points are missing; "
            + "1: not switched.")
        {
            collection, model, source, photos, to, allowMissing, sample, maxBytes,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            var pattern = SourcePattern.Parse(parsed.GetRequiredValue(source));
            using var client = globals.Client(parsed);
            var named = (await client.GetModelAsync(new() { Name = parsed.GetRequiredValue(model) }, cancellationToken)).Model;
            if (named.Kind is not (ModelKind.Image or ModelKind.Face))
            {
                throw ArgumentErrors.New($"--model must be an image model or a face model; '{named.Name}' is of kind {named.Kind.ToString().ToLowerInvariant()}.");
            }
            var arePhotos = parsed.GetValue(photos);
            if (arePhotos && named.Kind != ModelKind.Face)
            {
                throw ArgumentErrors.New("--photos requires a face model.");
            }
            var settings = new MigrationSettings(
                parsed.GetRequiredValue(collection), named.Name, parsed.GetValue(to) ?? "", parsed.GetValue(allowMissing), parsed.GetValue(sample));
            var embedder = new SourceEmbedder(client, named.Name, named.Kind == ModelKind.Face, pattern, arePhotos, parsed.GetValue(maxBytes));
            var migration = new Migration(client, embedder, settings, TimeProvider.System);
            try
            {
                var result = await migration.RunAsync(new Report(output), cancellationToken);
                output.Object(new
                {
                    settings.Alias,
                    result.From,
                    result.To,
                    result.Copied,
                    result.Deleted,
                    Failed = migration.Failures.Count,
                    result.Neighbors,
                });
                output.Line($"{settings.Alias} -> {result.To}, before {result.From}");
                output.Line(string.Create(
                    CultureInfo.InvariantCulture, $"{result.Copied:N0} points copied, {result.Deleted:N0} deleted, {migration.Failures.Count:N0} without a new vector"));
                if (result.Neighbors is { } neighbors)
                {
                    output.Line(string.Create(CultureInfo.InvariantCulture, $"{neighbors:P1} of the 10 nearest neighbors are the same"));
                }
                return migration.Failures.Count > 0 ? ExitCode.SomeItemsFailed : ExitCode.Done;
            }
            finally
            {
                foreach (var failure in migration.Failures.Take(ShownFailures))
                {
                    output.Note(ErrorLine.OneLine($"{failure.PointId}: {failure.Reason}"));
                }
                if (migration.Failures.Count > ShownFailures)
                {
                    output.Note($"... and {migration.Failures.Count - ShownFailures} more");
                }
            }
        });
        return command;
    }

    // Called directly: the framework's Progress reports later, on other threads.
    private sealed class Report(Output output) : IProgress<MigrationProgress>
    {
        private long _shown;
        private int _pass;

        void IProgress<MigrationProgress>.Report(MigrationProgress value)
        {
            if (value.Copied > _shown || value.Pass != _pass)
            {
                (_shown, _pass) = (value.Copied, value.Pass);
                output.Note(string.Create(
                    CultureInfo.InvariantCulture, $"pass {value.Pass}: {value.Read:N0} points read, {value.Copied:N0} copied in all, {value.Failed:N0} failed"));
            }
        }
    }
}
