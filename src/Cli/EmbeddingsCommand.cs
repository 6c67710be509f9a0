using System.CommandLine;
using System.CommandLine.Help;
using Embeddings.Cli.Commands;
using Embeddings.Cli.Printing;

namespace Embeddings.Cli;

/// <summary>Exit codes of the process. Scripts depend on them.</summary>
internal static class ExitCode
{
    /// <summary>The command completed.</summary>
    public const int Done = 0;

    /// <summary>Invalid arguments, a missing file, no server, an error of the server, or a failed check.</summary>
    public const int Failed = 1;

    /// <summary>The command completed, but some items failed; each was reported.</summary>
    public const int SomeItemsFailed = 2;

    /// <summary>Ctrl-C, as in shells (128 + SIGINT).</summary>
    public const int Interrupted = 130;
}

/// <summary>The command with its subcommands. Errors become one line and an exit code here.</summary>
internal static class EmbeddingsCommand
{
    private static readonly TimeSpan TerminationTimeout = TimeSpan.FromSeconds(30);

    public static async Task<int> RunAsync(
        IReadOnlyList<string> args, TextWriter stdout, TextWriter stderr, CancellationToken cancellationToken = default)
    {
        var globals = new GlobalOptions();
        var parsed = Parse(globals, args);
        // Not the parsed value, which an error in another argument can hide.
        var json = args.TakeWhile(arg => arg != "--").Contains("--json");
        if (ArgumentErrors.Of(parsed, args) is { } wrong)
        {
            var help = $"{ArgumentErrors.Path(parsed.CommandResult)} --help";
            if (ArgumentErrors.IsWithoutCommand(parsed))
            {
                wrong = "A command is required.";
                if (!json)
                {
                    await Parse(globals, [.. args, "--help"]).InvokeAsync(new() { Output = stderr }, cancellationToken);
                }
            }
            Report(
                $"{ErrorLine.OneLine(wrong)} See {help}.",
                new { ArgumentErrors.Reason, Message = ErrorLine.OneLine(wrong), Details = new { Help = help } });
            return ExitCode.Failed;
        }
        var invocation = new InvocationConfiguration
        {
            Output = stdout,
            Error = stderr,
            EnableDefaultExceptionHandler = false,
            // A server limits its own shutdown (Server:DrainSeconds, Server:ShutdownSeconds).
            ProcessTerminationTimeout = parsed.CommandResult.Command.Name is "serve" or "run"
                ? Timeout.InfiniteTimeSpan
                : TerminationTimeout,
        };
        try
        {
            return await parsed.InvokeAsync(invocation, cancellationToken);
        }
        catch (OperationCanceledException e)
        {
            Report("interrupted", JsonFields.Of(e, null));
            return ExitCode.Interrupted;
        }
        catch (Exception e)
        {
            var address = parsed.GetValue(globals.Address);
            Report(ErrorLine.Of(e, address), JsonFields.Of(e, address));
            return ExitCode.Failed;
        }

        void Report(string line, object error) => stderr.WriteLine(
            json ? Output.Serialize(new { Error = error }, omitNulls: true) : $"embeddings: {line}");
    }

    // No response files: an image can be named @2x.png.
    private static ParseResult Parse(GlobalOptions globals, IReadOnlyList<string> args) =>
        Create(globals).Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });

    // Not a RootCommand, which is named after the file of the program.
    private static Command Create(GlobalOptions globals)
    {
        var command = new Command("embeddings", "Embeds images and face crops, stores their vectors and searches them.")
        {
            new HelpOption(),
            new VersionOption(),
            ServeCommand.Create(globals),
            RunCommand.Create(globals),
            EmbedCommand.Create(globals),
            IngestCommand.Create(globals),
            DetectCommand.Create(globals),
            CompareCommand.Create(globals),
            IdentifyCommand.Create(globals),
            PeopleCommand.Create(globals),
            SearchCommand.Create(globals),
            GetCommand.Create(globals),
            ListCommand.Create(globals),
            CountCommand.Create(globals),
            DeleteCommand.Create(globals),
            AttributesCommand.Create(globals),
            CollectionsCommand.Create(globals),
            MigrateCommand.Create(globals),
            ExportCommand.Create(globals),
            HoldCommand.Create(globals),
            ReceiptCommand.Create(globals),
            SuppressionCommand.Create(globals),
            ModelsCommand.Create(globals),
            StoreCommand.Create(globals),
            KeysCommand.Create(globals),
            AuditCommand.Create(globals),
            DoctorCommand.Create(globals),
            BenchCommand.Create(globals),
            DemoCommand.Create(globals),
        };
        foreach (var option in globals.All)
        {
            command.Add(option);
        }
        return command;
    }
}
