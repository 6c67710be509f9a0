using Embeddings.Tooling.Ingesting;
using Spectre.Console;

namespace Embeddings.Cli.Printing;

/// <summary>Items per second since the start. Skipped items do not count.</summary>
internal sealed class Rate(TimeProvider time)
{
    private readonly long _start = time.GetTimestamp();

    public TimeSpan Elapsed => time.GetElapsedTime(_start);

    public double Of(ItemCounts counts) => (counts.Stored + counts.Failed) / Math.Max(Elapsed.TotalSeconds, 1e-3);

    public string Text(ItemCounts counts)
    {
        var skipped = counts.Skipped > 0 ? $", {counts.Skipped:N0} skipped" : "";
        return $"{Of(counts):N0} items/s, {counts.Failed:N0} failed{skipped}";
    }
}

/// <summary>Shows progress on standard error: a bar on a terminal, otherwise a line every few seconds.</summary>
internal static class Progress
{
    public static async Task RunAsync(Output output, string name, long total, Func<IProgress<ItemCounts>, Task> work)
    {
        if (!output.HasTerminal)
        {
            await work(new Lines(output, name, total, TimeProvider.System));
            return;
        }
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output.Error) });
        output.NoteWriter = text => console.WriteLine(text);
        try
        {
            await console.Progress()
                .Columns(
                    new TaskDescriptionColumn { Alignment = Justify.Left },
                    new ProgressBarColumn(),
                    new PercentageColumn(),
                    new RemainingTimeColumn())
                .StartAsync(context =>
                {
                    var task = context.AddTask(Markup.Escape(name), maxValue: Math.Max(total, 1));
                    return work(new Bar(task, name, TimeProvider.System));
                });
        }
        finally
        {
            output.NoteWriter = null;
        }
    }

    private sealed class Bar(ProgressTask task, string name, TimeProvider time) : IProgress<ItemCounts>
    {
        private readonly Rate _rate = new(time);

        public void Report(ItemCounts value)
        {
            task.Value = value.Done;
            task.Description = Markup.Escape($"{name}  {_rate.Text(value)}");
        }
    }

    private sealed class Lines(Output output, string name, long total, TimeProvider time) : IProgress<ItemCounts>
    {
        private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

        private readonly Rate _rate = new(time);
        private TimeSpan _next = Interval;

        public void Report(ItemCounts value)
        {
            if (_rate.Elapsed >= _next)
            {
                _next = _rate.Elapsed + Interval;
                output.Note($"{name}: {value.Done:N0} of {total:N0}, {_rate.Text(value)}");
            }
        }
    }
}
