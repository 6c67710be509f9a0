namespace Embeddings.Core.Batching;

/// <summary>
/// Makes the runs of trials while the server is idle, and ends them when a call arrives. Together they take at most 3 % of the
/// time since the start.
/// </summary>
internal sealed class BatchTuner(TimeProvider time)
{
    /// <summary>Most of the time that trials may take.</summary>
    public const double Share = 0.03;

    // So that a long idle time does not end in a long trial. Sizes whose runs take longer are not tried.
    private static readonly TimeSpan MaxCredit = TimeSpan.FromSeconds(2);

    private CancellationTokenSource? _running;
    private TimeSpan _credit;
    private long _credited = time.GetTimestamp();

    /// <summary>Ends the run of a trial; called when an item has been admitted.</summary>
    public void Interrupt() => Volatile.Read(ref _running)?.Cancel();

    /// <summary>
    /// Makes one run if it is wanted and there is time for it. Called by one thread at a time.
    /// </summary>
    /// <param name="trials">The trials of a model.</param>
    /// <param name="isIdle">Returns true if the server has nothing else to do.</param>
    /// <returns>True if the best size has been found now.</returns>
    public bool TryRun(BatchTrials trials, Func<bool> isIdle)
    {
        var now = time.GetTimestamp();
        _credit += time.GetElapsedTime(_credited, now) * Share;
        _credit = _credit < MaxCredit ? _credit : MaxCredit;
        _credited = now;
        if (!trials.AreWanted)
        {
            return false;
        }
        var expected = trials.Expected;
        if (expected > MaxCredit)
        {
            return trials.Skip();
        }
        if (expected > _credit)
        {
            return false;
        }
        try
        {
            // It ends if it takes much longer than expected.
            return Run(isIdle, _credit, token => trials.Run(time, token));
        }
        finally
        {
            _credit -= time.GetElapsedTime(now);
        }
    }

    /// <summary>Runs one image through a model that has not run since it was loaded. Called by one thread at a time.</summary>
    /// <param name="trials">The trials of the model.</param>
    /// <param name="isIdle">Returns true if the server has nothing else to do.</param>
    public void WarmUp(BatchTrials trials, Func<bool> isIdle) => Run(
        isIdle,
        Timeout.InfiniteTimeSpan,
        token =>
        {
            trials.WarmUp(token);
            return true;
        });

    private bool Run(Func<bool> isIdle, TimeSpan limit, Func<CancellationToken, bool> run)
    {
        // Not disposed: a caller may be about to cancel it.
        var running = new CancellationTokenSource(limit, time);
        // Before the look at the calls: one that arrives after it finds this.
        Interlocked.Exchange(ref _running, running);
        try
        {
            return isIdle() && run(running.Token);
        }
        finally
        {
            Volatile.Write(ref _running, null);
        }
    }
}
