using System.CommandLine;
using Embeddings.Cli.Demos;
using Embeddings.Cli.Hosting;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.Tooling.Models.Checking;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary>
/// <c>embeddings run</c>: starts the server and demonstrates it on sample images or on images of the user.
/// </summary>
internal static class RunCommand
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);

    public static Command Create(GlobalOptions globals)
    {
        var options = new ServerOptions();
        var once = new Option<bool>("--once")
        {
            Description = "Stop after the demonstration. Uses free ports and a temporary store unless others are set. "
                + "Without it, the server runs until Ctrl-C.",
        };
        var photos = CommonOptions.Text(
            "--photos",
            "DIR|LIST.jsonl",
            $"With --once: use these images instead of the samples. {LabelledImages.Description}");
        var kind = CommonOptions.Kind();
        var command = new Command(
            "run",
            "Starts the server, stores sample images and searches them with images that were held out. The samples "
            + "are deleted afterwards. The exit code is 0 only if every best match of the samples is correct.")
        {
            once, photos, kind,
        };
        options.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            var images = parsed.GetValue(photos);
            if (images is not null && !parsed.GetValue(once))
            {
                throw ArgumentErrors.New(
                    "--photos requires --once, because the images are stored for the demonstration only.");
            }
            var settings = options.Read(parsed).ToList();
            DirectoryInfo? folder = null;
            try
            {
                if (parsed.GetValue(once))
                {
                    if (!options.NamesStore(parsed))
                    {
                        folder = Directory.CreateTempSubdirectory("embeddings-run-");
                        settings.AddRange(["--Store:Kind=Embedded", $"--Store:Embedded:Directory={folder.FullName}"]);
                    }
                    if (!options.NamesPort(parsed))
                    {
                        settings.AddRange(["--Server:GrpcPort=0", "--Server:HttpPort=0"]);
                    }
                }
                await using var server = await LocalServer.StartAsync(settings, quiet: true, cancellationToken);
                ServeCommand.PrintAddresses(output, server);
                using var client = globals.Client(parsed, address: server.Address);
                await client.WaitUntilServingAsync(StartTimeout, cancellationToken);
                var models = await client.ListAllModelsAsync(cancellationToken).ToListAsync(cancellationToken);
                foreach (var model in models)
                {
                    var size = $"{model.InputWidth}x{model.InputHeight}{(model.Dimension > 0 ? $" -> {model.Dimension}" : "")}";
                    output.Line(ErrorLine.OneLine($"model       {model.Name} ({size}): {model.Description}"));
                }
                var passed = await ShowAsync(client, output, models, images, parsed.GetValue(kind), cancellationToken);
                if (!parsed.GetValue(once))
                {
                    output.Note($"serving at {server.Address}; press Ctrl-C to stop");
                    await server.WaitForShutdownAsync(cancellationToken);
                }
                return passed ? ExitCode.Done : ExitCode.Failed;
            }
            finally
            {
                folder?.Delete(recursive: true);
            }
        });
        return command;
    }

    private static Task<bool> ShowAsync(
        EmbeddingsClient client,
        Output output,
        List<Model> models,
        string? images,
        ItemKind kind,
        CancellationToken cancellationToken)
    {
        var kinds = models.Where(model => model is { DefaultForKind: true, Kind: ModelKind.Image or ModelKind.Face })
            .Select(model => model.Kind == ModelKind.Face ? ItemKind.Face : ItemKind.Image)
            .Order()
            .ToList();
        if (images is not null)
        {
            return kinds.Contains(kind)
                ? new PhotoRun(client, output, kind).RunAsync(images, cancellationToken)
                : throw ArgumentErrors.New($"--photos requires a model; the server has no {kind.Word()} model.");
        }
        return kinds.Count > 0
            ? new SampleRun(client, output, kinds).RunAsync(cancellationToken)
            : new RandomVectorRun(client, output).RunAsync(cancellationToken);
    }
}
