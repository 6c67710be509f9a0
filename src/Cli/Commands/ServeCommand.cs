using System.CommandLine;
using Embeddings.Cli.Hosting;
using Embeddings.Cli.Printing;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings serve</c>: the server, until Ctrl-C.</summary>
internal static class ServeCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var options = new ServerOptions();
        var command = new Command(
            "serve",
            "Starts the server and serves until Ctrl-C. Any setting of the server can be set as --Section:Key=value.");
        options.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var server = await LocalServer.StartAsync(options.Read(parsed), quiet: false, cancellationToken);
            PrintAddresses(globals.Output(parsed), server);
            await server.WaitForShutdownAsync(cancellationToken);
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>Prints the addresses of the server.</summary>
    public static void PrintAddresses(Output output, LocalServer server)
    {
        output.Object(new { Grpc = server.Address, Http = server.HttpAddress });
        var hasTls = server.Address.StartsWith("https://", StringComparison.Ordinal);
        output.Line($"gRPC        {server.Address} ({(hasTls ? "TLS" : "h2c")})");
        if (server.HttpAddress is { } http)
        {
            output.Line($"HTTP        {http}/healthz, {http}/readyz");
        }
    }
}
