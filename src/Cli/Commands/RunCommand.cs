using System.CommandLine;
using Embeddings.Cli.Hosting;
using Embeddings.Cli.Printing;
using Embeddings.Cli.Sampling;
using Embeddings.Client;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings run</c>: starts the server and shows it at work on pictures drawn by code.</summary>
internal static class RunCommand
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);

    public static Command Create(GlobalOptions globals)
    {
        var options = new ServerOptions();
        var once = new Option<bool>("--once") { Description = "End after the show; without it the server goes on until Ctrl-C." };
        var command = new Command("run",
            "Starts the server, stores a sample set drawn by code and searches it with pictures held out. "
            + "Exit code 0 only if at least 95 % of the best matches are right.")
        {
            once,
        };
        options.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            await using var server = await LocalServer.StartAsync(options.Read(parsed), quiet: true, cancellationToken);
            ServeCommand.Announce(output, server);
            using var client = EmbeddingsClient.ForAddress(server.Address);
            await client.WaitUntilServingAsync(StartTimeout, cancellationToken);
            await TellModelsAsync(client, output, cancellationToken);
            var passed = await new SampleRun(client, output, new SampleSet()).RunAsync(cancellationToken);
            if (!parsed.GetValue(once))
            {
                output.Note($"serving at {server.Address}; Ctrl-C ends it");
                await server.WaitForShutdownAsync(cancellationToken);
            }
            return passed ? ExitCode.Done : ExitCode.Failed;
        });
        return command;
    }

    private static async Task TellModelsAsync(EmbeddingsClient client, Output output, CancellationToken cancellationToken)
    {
        await foreach (var model in client.ListAllModelsAsync(cancellationToken))
        {
            output.Line(ErrorLine.OneLine($"model       {model.Name} ({model.InputWidth}x{model.InputHeight} -> {model.Dimension}): {model.Description}"));
        }
    }
}
