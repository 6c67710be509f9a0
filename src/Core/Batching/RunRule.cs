namespace Embeddings.Core.Batching;

/// <summary>
/// Who may run beside whom, and in which of the model's slots. A run is wide (all threads of its session) or narrow (one thread); without narrow runs each
/// session is wide and by itself. Belongs to its queue, which alone changes it, under its lock.
/// </summary>
/// <param name="wideRuns">Wide runs that may go on at once: slots 0 and up. At least 1; 1 where there are narrow runs.</param>
/// <param name="narrowRuns">Narrow runs that may go on at once, about one for each processor: the slots after the wide ones. 0 for none.</param>
internal sealed class RunRule(int wideRuns, int narrowRuns)
{
    // The last to be left is taken first: its caches are warm still.
    private readonly Stack<int> _wide = new(Enumerable.Range(0, wideRuns).Reverse());
    private readonly Stack<int> _narrow = new(Enumerable.Range(wideRuns, narrowRuns).Reverse());

    /// <summary>Whether the slot is for the runs that go on under load.</summary>
    public bool IsForLoad(int slot) => narrowRuns == 0 || slot >= wideRuns;

    /// <summary>Nothing runs.</summary>
    public bool IsIdle => Running == 0;

    /// <summary>Alone it has all processors, and is over soonest.</summary>
    public bool MayBeWide => _wide.Count > 0 && (narrowRuns == 0 || IsIdle);

    /// <summary>Most processors have a narrow run and nothing else goes on: one that has none need not wait for their end.</summary>
    public bool MayJoin => !IsIdle && Running == RunningNarrow && Running < narrowRuns && 2 * Running >= narrowRuns;

    private int RunningNarrow => narrowRuns - _narrow.Count;

    private int Running => wideRuns - _wide.Count + RunningNarrow;

    /// <summary>As many batches as processors: every one has work and none is shared.</summary>
    /// <param name="waiting">Batches that wait to run.</param>
    public bool MayBeNarrow(int waiting) => Running < narrowRuns && (MayJoin || Running + waiting >= narrowRuns);

    /// <summary>A run begins: its slot, narrow where it may be.</summary>
    public int Begin(bool narrow) => (narrow ? _narrow : _wide).Pop();

    /// <summary>The slot's run is over.</summary>
    public void End(int slot) => (slot < wideRuns ? _wide : _narrow).Push(slot);
}
