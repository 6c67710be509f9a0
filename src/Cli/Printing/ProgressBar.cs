using Spectre.Console;

namespace Embeddings.Cli.Printing;

/// <summary>Progress as a moving bar.</summary>
internal sealed class ProgressBar(ProgressTask task, string name, TimeProvider time) : IProgress<Tally>
{
    private readonly Rate _rate = new(time);

    public void Report(Tally value)
    {
        task.Value = value.Done;
        task.Description = Markup.Escape($"{name}  {_rate.Text(value)}");
    }
}
