namespace Embeddings.Server.Batching;

/// <summary>
/// Who may run beside whom. A run is wide (all threads of its session) or narrow (one thread); without narrow runs each session is wide and by itself. Belongs
/// to its queue, which alone changes it, under its lock.
/// </summary>
/// <param name="narrowRuns">Narrow runs that may go on at once, about one for each processor; 0 for none.</param>
internal sealed class RunRule(int narrowRuns)
{
    private int _running;
    private int _narrow;

    /// <summary>Alone it has all processors, and is over soonest.</summary>
    public bool MayBeWide => narrowRuns == 0 || _running == 0;

    /// <summary>Most processors have a narrow run and nothing else goes on: one that has none need not wait for their end.</summary>
    public bool MayJoin => _running > 0 && _running == _narrow && 2 * _running >= narrowRuns;

    /// <summary>As many batches as processors: every one has work and none is shared.</summary>
    /// <param name="waiting">Batches that wait to run.</param>
    public bool MayBeNarrow(int waiting) => narrowRuns > 0 && (MayJoin || _running + waiting >= narrowRuns);

    public void Begin(Batch batch)
    {
        _running++;
        _narrow += batch.IsNarrow ? 1 : 0;
    }

    public void End(Batch batch)
    {
        _running--;
        _narrow -= batch.IsNarrow ? 1 : 0;
    }
}
