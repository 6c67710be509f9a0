namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Compares queries with every vector, on all threads that are free. Permits bound the threads over all searches: alone, a search takes all; under load each
/// gets fewer, which costs less than sharing, and the thread pool keeps its threads for everyone else.
/// </summary>
internal sealed class ExactSearch(int threads) : IDisposable
{
    // Fewer multiplications than this are done before a second thread has woken up.
    private const long WorkPerThread = 1 << 20;

    private readonly SemaphoreSlim _permits = new(threads);

    /// <summary>For each query of the plan its hits, best first.</summary>
    public async Task<Hit[][]> RunAsync(SearchPlan plan, CancellationToken cancellationToken)
    {
        await _permits.WaitAsync(cancellationToken);
        var taken = 1;
        try
        {
            var work = (long)(plan.Rows?.Length ?? plan.Index.Count) * plan.Index.Vectors.Stride * plan.QueryCount;
            while (taken < threads && taken * WorkPerThread < work && _permits.Wait(0, CancellationToken.None))
            {
                taken++;
            }

            var workers = taken;
            return await Task.Run(() => Scan(plan, workers, cancellationToken), cancellationToken);
        }
        finally
        {
            _permits.Release(taken);
        }
    }

    public void Dispose() => _permits.Dispose();

    private static Hit[][] Scan(SearchPlan plan, int workers, CancellationToken cancellationToken)
    {
        // Held for the whole scan: a point that moved meanwhile could be missed. Held by this thread, for the others that scan.
        plan.Index.Gate.EnterReadLock();
        try
        {
            var scan = new Scan(plan);
            if (workers == 1)
            {
                scan.Work(cancellationToken);
            }
            else
            {
                Parallel.For(0, workers, new ParallelOptions { MaxDegreeOfParallelism = workers }, _ => scan.Work(cancellationToken));
            }

            cancellationToken.ThrowIfCancellationRequested();
            return scan.Hits();
        }
        finally
        {
            plan.Index.Gate.ExitReadLock();
        }
    }
}
