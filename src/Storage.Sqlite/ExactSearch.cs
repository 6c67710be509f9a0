using System.Runtime.InteropServices;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage.Sqlite;

/// <summary>Several queries over one collection.</summary>
/// <param name="Index">The collection.</param>
/// <param name="Queries">The normalized query vectors, one stride apart.</param>
/// <param name="Excluded">For each query, the ids of the points to exclude, or null.</param>
/// <param name="Limit">The maximum number of hits per query.</param>
/// <param name="Threshold">The minimum score, or null.</param>
/// <param name="Rows">The rows to scan; null for all.</param>
internal sealed record SearchPlan(
    CollectionIndex Index,
    AlignedBuffer Queries,
    IReadOnlySet<string>?[] Excluded,
    int Limit,
    float? Threshold,
    RowSelection? Rows)
{
    public int QueryCount => Excluded.Length;

    /// <summary>False if an approximate index may choose the rows.</summary>
    public bool IsExact { get; init; } = true;

    /// <summary>The number of candidates of an approximate search; null for the default.</summary>
    public int? ApproximateCandidates { get; init; }

    /// <summary>The maximum number of candidates of all queries and threads, 8 bytes each.</summary>
    public int MaxCandidates { get; init; } = 1 << 22;

    /// <summary>Returns the score of a normalized vector. Equal vectors have equal scores at any position.</summary>
    public unsafe float Score(int query, ReadOnlySpan<float> vector) => Storage.Score.Of(
        VectorMath.PreciseCosine(
            vector,
            new ReadOnlySpan<float>(Queries.Floats + ((nint)query * Index.Vectors.Stride), vector.Length)));

    /// <summary>A normalized query vector.</summary>
    public unsafe ReadOnlySpan<float> Query(int query) =>
        new(Queries.Floats + ((nint)query * Index.Vectors.Stride), Index.Dimension);

    /// <summary>Returns an empty list of hits of a query.</summary>
    public TopK NewTop(int query) => new(Limit, Threshold, Excluded[query]);
}

/// <summary>
/// Compares queries with the codes of all vectors on all free threads, and finds the rows that can be hits. Permits limit the threads over
/// all searches: a single search takes all of them; under load each search gets fewer, which costs less than sharing, and the thread pool
/// keeps its threads for other work.
/// </summary>
internal sealed class ExactSearch(int threads) : IDisposable
{
    // One thread completes fewer multiplications than this before a second thread wakes up.
    private const long WorkPerThread = 1 << 22;

    // Longer searches, of tens of milliseconds, run on threads of their own: if they occupied the thread pool, the timers
    // and connections that cancel them would wait for them.
    private const long MaxPoolWork = 1L << 30;

    private static readonly TaskFactory OwnThread = new(
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskContinuationOptions.None, TaskScheduler.Default);

    private readonly SemaphoreSlim _permits = new(threads);

    /// <summary>Returns the rows that can be hits of each query.</summary>
    public async Task<CandidateRows[]> RunAsync(SearchPlan plan, CancellationToken cancellationToken)
    {
        await _permits.WaitAsync(cancellationToken);
        var taken = 1;
        try
        {
            var work = (plan.Rows?.Estimate(plan.Index) ?? plan.Index.Count) * plan.Index.Vectors.CodeStride * plan.QueryCount;
            while (taken < threads && taken * WorkPerThread < work && _permits.Wait(0, CancellationToken.None))
            {
                taken++;
            }

            var workers = taken;
            return work > MaxPoolWork
                ? await OwnThread.StartNew(() => Run(plan, workers, isLong: true, cancellationToken))
                : await Task.Run(() => Run(plan, workers, isLong: false, cancellationToken), cancellationToken);
        }
        finally
        {
            _permits.Release(taken);
        }
    }

    public void Dispose() => _permits.Dispose();

    private static CandidateRows[] Run(SearchPlan plan, int workers, bool isLong, CancellationToken cancellationToken)
    {
        // Held for the whole scan, because a point that moves during the scan could be missed. This thread holds it for
        // all workers.
        plan.Index.Gate.EnterReadLock();
        try
        {
            if (!plan.IsExact && plan.Index.Approximate?.TryFind(plan, workers, cancellationToken) is { } slots)
            {
                plan = plan with { Rows = new SelectedSlots(slots) };
            }

            using var scan = new Scan(plan, workers);
            if (workers == 1)
            {
                scan.Work(cancellationToken);
            }
            else if (isLong)
            {
                Task[] others = [.. Enumerable.Range(1, workers - 1).Select(_ => OwnThread.StartNew(() => scan.Work(cancellationToken)))];
                scan.Work(cancellationToken);
                Task.WaitAll(others, CancellationToken.None);
            }
            else
            {
                var parallelism = new ParallelOptions { MaxDegreeOfParallelism = workers };
                Parallel.For(0, workers, parallelism, _ => scan.Work(cancellationToken));
            }

            cancellationToken.ThrowIfCancellationRequested();
            return scan.Take();
        }
        finally
        {
            plan.Index.Gate.ExitReadLock();
        }
    }
}

/// <summary>Scores single vectors exactly as a scan does: equal vectors have bitwise equal scores.</summary>
internal sealed class PointScorer(SearchPlan plan) : IDisposable
{
    private readonly int _dimension = plan.Index.Dimension;
    private readonly AlignedBuffer _row = AlignedBuffer.ZeroedFloats(plan.Index.Dimension);

    /// <summary>Returns the score of a stored vector; null if the vector is damaged.</summary>
    public float? Score(int query, ReadOnlySpan<byte> vector)
    {
        var floats = MemoryMarshal.Cast<byte, float>(vector);
        var row = _row.AsSpan<float>()[.._dimension];
        if (floats.Length != _dimension || !UnitVectors.TryNormalize(floats, row))
        {
            return null;
        }

        return plan.Score(query, row);
    }

    public void Dispose() => _row.Dispose();
}
