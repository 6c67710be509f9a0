using Spectre.Console;

namespace Embeddings.Cli.Printing;

/// <summary>Shows on standard error how far an ingest is: a bar on a terminal, a line every few seconds elsewhere.</summary>
internal static class ProgressView
{
    public static async Task RunAsync(Output output, string name, long total, Func<IProgress<Tally>, Task> work)
    {
        if (!output.HasTerminal)
        {
            await work(new ProgressLines(output, name, total, TimeProvider.System));
            return;
        }
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output.Error) });
        output.NoteWriter = text => console.WriteLine(text);
        try
        {
            await console.Progress()
                .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
                .StartAsync(context => work(new ProgressBar(context.AddTask(Markup.Escape(name), maxValue: Math.Max(total, 1)), name, TimeProvider.System)));
        }
        finally
        {
            output.NoteWriter = null;
        }
    }
}
