using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Embeddings.Cli.Commands;
using Embeddings.Cli.Printing;

namespace Embeddings.Cli;

/// <summary>The command with all its subcommands, and the one place where an error becomes a line and an exit code.</summary>
internal static class EmbeddingsCommand
{
    // A server that drains its streams needs longer than the parser's own two seconds after Ctrl-C.
    private static readonly TimeSpan TerminationTimeout = TimeSpan.FromSeconds(30);

    public static async Task<int> RunAsync(
        IReadOnlyList<string> args, TextWriter stdout, TextWriter stderr, CancellationToken cancellationToken = default)
    {
        var globals = new GlobalOptions();
        // No response files: a picture may well be called @2x.png.
        var parsed = Create(globals).Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Action is ParseErrorAction)
        {
            stderr.WriteLine($"embeddings: {ErrorLine.OneLine(parsed.Errors[0].Message)} See {CommandPath(parsed)} --help.");
            return ExitCode.Failed;
        }
        var invocation = new InvocationConfiguration
        {
            Output = stdout,
            Error = stderr,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = TerminationTimeout,
        };
        try
        {
            return await parsed.InvokeAsync(invocation, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            stderr.WriteLine("embeddings: interrupted");
            return ExitCode.Interrupted;
        }
        catch (Exception e)
        {
            stderr.WriteLine($"embeddings: {ErrorLine.Of(e, parsed.GetValue(globals.Address))}");
            return ExitCode.Failed;
        }
    }

    // A plain command and not a RootCommand: that one is called after its program's file.
    private static Command Create(GlobalOptions globals) =>
        new("embeddings", "Turns images and face crops into vectors, stores them and finds them again.")
        {
            new HelpOption(),
            new VersionOption(),
            globals.Address,
            globals.Json,
            ServeCommand.Create(globals),
            RunCommand.Create(globals),
            EmbedCommand.Create(globals),
            IngestCommand.Create(globals),
            SearchCommand.Create(globals),
            GetCommand.Create(globals),
            ListCommand.Create(globals),
            CountCommand.Create(globals),
            DeleteCommand.Create(globals),
            ModelsCommand.Create(globals),
            StoreCommand.Create(globals),
            DoctorCommand.Create(globals),
            BenchCommand.Create(globals),
            DemoCommand.Create(globals),
        };

    private static string CommandPath(ParseResult parsed) =>
        parsed.CommandResult.Parent is null ? "embeddings" : $"embeddings {parsed.CommandResult.Command.Name}";
}
