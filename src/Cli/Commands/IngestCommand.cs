using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.Primitives;
using Embeddings.Tooling.Ingesting;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings ingest DIR|LIST.jsonl</c>: embeds and stores images, faces, or the faces in photos.</summary>
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
        var collection = CollectionOptions.WithPhotos();
        var aligned = CommonOptions.Aligned();
        var flags = new FaceFlags("100, or 1 with --person-from-folder");
        var resume = new Option<bool>("--resume", "-r")
        {
            Description = "Skip items that are stored already. All points of the collection must be of the same model. A photo without "
                + "faces has no point, so that it is searched again.",
        };
        var person = new Option<bool>("--person-from-folder")
        {
            Description = "Store the name of the first folder below DIR as the attribute person: DIR/alice/1.jpg shows alice. Files "
                + "directly in DIR get none. Of a photo, only the largest face is stored unless --max-faces is set.",
        };
        var attributes = new Option<string[]>("--attribute")
        {
            Description = "Attribute to store with each item: key=value. Can be repeated. Numbers, true, and false are typed values; "
                + "quote a string that looks like one: key='\"1\"'. Attributes in an item list have precedence.",
            HelpName = "KEY=VALUE",
            DefaultValueFactory = _ => [],
        };
        var noPath = new Option<bool>("--no-path")
        {
            Description = "With --kind photo: do not store the file's path as the attribute path, by which people --report finds the photo.",
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
            "Embeds and stores the images of a directory or an item list; with --kind photo, all faces in them. Exit code 0: all are stored; 2: some failed, "
            + "each is reported; 1: it could not run.")
        {
            path, model, resume, failed, recursive, maxBytes, attributes, person, noPath, aligned,
        };
        collection.AddTo(command);
        flags.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var given = parsed.GetValue(path)!;
            var output = globals.Output(parsed);
            var photos = parsed.GetValue(collection.Kind) == ItemKind.Photo;
            var settings = new IngestSettings(
                parsed.GetValue(collection.Kind),
                parsed.GetValue(model)!,
                collection.Read(parsed),
                parsed.GetValue(maxBytes))
            {
                Added = Added(parsed.GetValue(attributes)!, parsed.GetValue(person), photos && !parsed.GetValue(noPath)),
                Faces = photos ? flags.Read(parsed, parsed.GetValue(person) ? 1 : FaceFlags.DefaultMaxFaces) : null,
                Aligned = parsed.GetValue(aligned),
            };
            if (!photos && (flags.IsGiven(parsed) || parsed.GetValue(noPath)))
            {
                throw ArgumentErrors.New("Options for the faces in photos, and --no-path, require --kind photo.");
            }
            if (parsed.GetValue(aligned) && settings.Kind != ItemKind.Face)
            {
                throw ArgumentErrors.New("--aligned requires --kind face.");
            }
            if (parsed.GetValue(person) && File.Exists(given))
            {
                throw ArgumentErrors.New("--person-from-folder requires a directory. In an item list, set the attribute person.");
            }
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
            if (photos)
            {
                await RequireDetectorAsync(client, settings.Faces!.Detector, cancellationToken);
            }
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
        var kind = settings.Kind == ItemKind.Image ? ModelKind.Image : ModelKind.Face;
        return await DefaultAsync(client, kind, cancellationToken)
            ?? throw new ToolException(
                $"The server has no {(kind == ModelKind.Face ? ItemKind.Face : ItemKind.Image).Word()} model.", reason: Reasons.ModelNotFound);
    }

    private static async Task RequireDetectorAsync(EmbeddingsClient client, string name, CancellationToken cancellationToken)
    {
        if (name.Length > 0)
        {
            await client.GetModelAsync(new GetModelRequest { Name = name }, cancellationToken);
        }
        else if (await DefaultAsync(client, ModelKind.Detector, cancellationToken) is null)
        {
            throw new ToolException("The server has no detector, so that it cannot find the faces in photos.", reason: Reasons.ModelNotFound);
        }
    }

    private static ValueTask<Model?> DefaultAsync(EmbeddingsClient client, ModelKind kind, CancellationToken cancellationToken) =>
        client.ListAllModelsAsync(cancellationToken)
            .FirstOrDefaultAsync(model => model.DefaultForKind && model.Kind == kind, cancellationToken);

    // Null if there is nothing to add.
    private static ItemAttributes? Added(string[] attributes, bool person, bool path)
    {
        var common = new Struct();
        foreach (var (key, value) in attributes.Select(FilterOptions.ParseValue))
        {
            if (!common.Fields.TryAdd(key, value))
            {
                throw ArgumentErrors.New($"--attribute {key} must be set once.");
            }
        }
        return common.Fields.Count > 0 || person || path ? new(common, person, path) : null;
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
        var photos = settings.Kind == ItemKind.Photo ? new PhotoCounts() : null;
        try
        {
            await Progress.RunAsync(output, source.Name, source.Total, progress =>
            {
                var run = new IngestRun(client, settings, stored, failures, (outcome, soFar) =>
                {
                    counts = soFar;
                    if (outcome.PhotoAck is { } ack)
                    {
                        photos?.Add(ack);
                    }
                    Print(output, outcome);
                    progress.Report(soFar);
                });
                return run.RunAsync(source.Items, cancellationToken);
            });
        }
        finally
        {
            // Also if the stream broke: what was stored is stored, and --resume continues from there.
            Summarize(output, counts, photos, source.Ignored, rate, settings.Collection, failures.FilePath);
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
        else if (outcome.PhotoAck is { } photo)
        {
            output.Object(
                new
                {
                    line!.Path,
                    line.JobId,
                    photo.Collection,
                    Photo = FaceFields.Of(photo.Photo),
                    Faces = photo.Faces.Select(face => new { face.PointId, Face = FaceFields.Of(face.Face) }),
                    LeftOut = photo.LeftOut.Select(FaceFields.Of),
                    photo.RemovedCount,
                },
                omitNulls: true);
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
        Output output,
        ItemCounts counts,
        PhotoCounts? photos,
        IgnoredFiles ignored,
        Rate rate,
        string collection,
        string failedPath)
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
            photos?.Faces,
            photos?.LeftOut,
            PhotosWithoutFaces = photos?.WithoutFaces,
            RemovedFaces = photos?.Removed,
        };
        output.Object(new { Summary = summary }, omitNulls: true);
        if (counts.Failed > 0)
        {
            output.Note($"failed items: {failedPath}");
        }
        if (ignored != default)
        {
            output.Line($"skipped {ignored}");
        }
        if (photos is not null)
        {
            output.Line($"{photos}");
        }
        var (stored, unit) = photos is null ? ("stored", "items") : ("photos stored", "photos");
        var text = $"{counts.Stored:N0} {stored}, {counts.Skipped:N0} skipped, {counts.Failed:N0} failed";
        output.Line($"{text} in {seconds:0.0} s ({perSecond:N0} {unit}/s), collection {collection}");
    }
}
