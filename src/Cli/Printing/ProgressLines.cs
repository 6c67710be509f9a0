namespace Embeddings.Cli.Printing;

/// <summary>Progress as plain lines: for logs, and for whatever else is no terminal.</summary>
internal sealed class ProgressLines(Output output, string name, long total, TimeProvider time) : IProgress<Tally>
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly Rate _rate = new(time);
    private TimeSpan _next = Interval;

    public void Report(Tally value)
    {
        if (_rate.Elapsed >= _next)
        {
            _next = _rate.Elapsed + Interval;
            output.Note($"{name}: {value.Done:N0} of {total:N0}, {_rate.Text(value)}");
        }
    }
}
