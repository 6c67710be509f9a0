namespace Embeddings.Cli.Printing;

/// <summary>Items a second since the start. What was skipped took no work and does not count.</summary>
internal sealed class Rate(TimeProvider time)
{
    private readonly long _start = time.GetTimestamp();

    public TimeSpan Elapsed => time.GetElapsedTime(_start);

    public double Of(Tally tally) => (tally.Stored + tally.Failed) / Math.Max(Elapsed.TotalSeconds, 1e-3);

    public string Text(Tally tally)
    {
        var skipped = tally.Skipped > 0 ? $", {tally.Skipped:N0} skipped" : "";
        return $"{Of(tally):N0} items/s, {tally.Failed:N0} failed{skipped}";
    }
}
