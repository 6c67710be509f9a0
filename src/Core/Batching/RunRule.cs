namespace Embeddings.Core.Batching;

/// <summary>
/// Decides which batches may run concurrently, and in which run slots of the session. A run uses all threads of its session
/// (multi-threaded) or one thread; without single-threaded runs the sessions are independent of each other. Belongs to its
/// queue, which alone changes it, under its lock.
/// </summary>
/// <param name="multiThreadedRuns">
/// Concurrent multi-threaded runs, slots 0 and up: at least 1, and 1 if there are single-threaded runs.
/// </param>
/// <param name="singleThreadedRuns">
/// Concurrent single-threaded runs, the slots after those, about one per processor; 0 for none.
/// </param>
internal sealed class RunRule(int multiThreadedRuns, int singleThreadedRuns)
{
    // The slot that was used last is taken first: its caches are still warm.
    private readonly Stack<int> _multiThreaded = new(Enumerable.Range(0, multiThreadedRuns).Reverse());
    private readonly Stack<int> _singleThreaded = new(Enumerable.Range(multiThreadedRuns, singleThreadedRuns).Reverse());

    /// <summary>True if nothing runs.</summary>
    public bool IsIdle => Running == 0;

    /// <summary>True if a multi-threaded run may start. Alone, a batch gets all processors and finishes soonest.</summary>
    public bool MayRunMultiThreaded => _multiThreaded.Count > 0 && (singleThreadedRuns == 0 || IsIdle);

    /// <summary>
    /// True if at least half the processors have a single-threaded run and nothing else runs: a batch may then use an idle
    /// processor instead of waiting for those runs to end.
    /// </summary>
    public bool MayJoin => !IsIdle
        && Running == RunningSingleThreaded
        && Running < singleThreadedRuns
        && 2 * Running >= singleThreadedRuns;

    private int RunningSingleThreaded => singleThreadedRuns - _singleThreaded.Count;

    private int Running => multiThreadedRuns - _multiThreaded.Count + RunningSingleThreaded;

    /// <summary>True if the slot is for runs under load.</summary>
    public bool IsForLoad(int slot) => singleThreadedRuns == 0 || slot >= multiThreadedRuns;

    /// <summary>
    /// True if there are as many batches as processors, so that each processor gets one and none is shared.
    /// </summary>
    /// <param name="waiting">Batches that wait to run.</param>
    public bool MayRunSingleThreaded(int waiting) =>
        Running < singleThreadedRuns && (MayJoin || Running + waiting >= singleThreadedRuns);

    /// <summary>Starts a run and returns its slot.</summary>
    public int Begin(bool singleThreaded) => (singleThreaded ? _singleThreaded : _multiThreaded).Pop();

    /// <summary>Ends the run of a slot.</summary>
    public void End(int slot) => (slot < multiThreadedRuns ? _multiThreaded : _singleThreaded).Push(slot);
}
