using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage.Sqlite;

/// <summary>Several queries over one collection.</summary>
/// <param name="Index">The collection.</param>
/// <param name="Queries">The normalized query vectors, one stride apart.</param>
/// <param name="ExcludeIds">For each query, the id of the point to exclude, or null.</param>
/// <param name="Limit">The maximum number of hits per query.</param>
/// <param name="Threshold">The minimum score, or null.</param>
/// <param name="Rows">The rows to scan; null for all.</param>
internal sealed record SearchPlan(
    CollectionIndex Index, AlignedBuffer Queries, string?[] ExcludeIds, int Limit, float? Threshold, RowSelection? Rows)
{
    public int QueryCount => ExcludeIds.Length;

    /// <summary>Returns the score of a normalized vector. Equal vectors have equal scores at any position.</summary>
    public unsafe float Score(int query, ReadOnlySpan<float> vector) => Storage.Score.Of(
        VectorMath.PreciseCosine(
            vector,
            new ReadOnlySpan<float>(Queries.Floats + ((nint)query * Index.Vectors.Stride), vector.Length)));

    public TopK[] NewTops() => [.. ExcludeIds.Select(id => new TopK(Limit, Threshold, id))];
}

/// <summary>
/// Compares queries with every vector on all free threads. Permits limit the threads over all searches: a single search
/// takes all of them; under load each search gets fewer, which costs less than sharing, and the thread pool keeps its
/// threads for other work.
/// </summary>
internal sealed class ExactSearch(int threads) : IDisposable
{
    // One thread completes fewer multiplications than this before a second thread wakes up.
    private const long WorkPerThread = 1 << 20;

    // Longer searches, of tens of milliseconds, run on threads of their own: if they occupied the thread pool, the timers
    // and connections that cancel them would wait for them.
    private const long MaxPoolWork = 1 << 28;

    private static readonly TaskFactory OwnThread = new(
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskContinuationOptions.None, TaskScheduler.Default);

    private readonly SemaphoreSlim _permits = new(threads);

    /// <summary>Returns the hits of each query, best first.</summary>
    public async Task<Hit[][]> RunAsync(SearchPlan plan, CancellationToken cancellationToken)
    {
        await _permits.WaitAsync(cancellationToken);
        var taken = 1;
        try
        {
            var work = (plan.Rows?.Estimate(plan.Index) ?? plan.Index.Count) * plan.Index.Vectors.Stride * plan.QueryCount;
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

    private static Hit[][] Run(SearchPlan plan, int workers, bool isLong, CancellationToken cancellationToken)
    {
        // Held for the whole scan, because a point that moves during the scan could be missed. This thread holds it for
        // all workers.
        plan.Index.Gate.EnterReadLock();
        try
        {
            var scan = new Scan(plan);
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
            return scan.TakeHits();
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
        if (floats.Length != _dimension || !VectorMath.TryNormalize(floats, row))
        {
            return null;
        }

        return plan.Score(query, row);
    }

    public void Dispose() => _row.Dispose();
}

/// <summary>
/// One pass over a collection by several threads; a thread that finishes a unit of rows takes the next one. All queries
/// are compared with a block of rows while it is in the core's cache, so additional queries cost arithmetic, not memory
/// bandwidth.
/// </summary>
internal sealed unsafe class Scan
{
    // 64 rows of 512 dimensions are 128 KiB: together with as many queries they fit into the L2 cache.
    private const int BlockRows = 64;

    private readonly SearchPlan _plan;
    private readonly SlotSet? _selected;
    private readonly int[]? _slots;
    private readonly int _count;
    private readonly int _unit;
    private readonly TopK[] _merged;
    private readonly float _slack;
    private int _next = -1;

    /// <summary>Prepares the scan. The caller holds the index's gate until it has the hits.</summary>
    public Scan(SearchPlan plan)
    {
        _plan = plan;
        _selected = plan.Rows?.Slots(plan.Index);
        _slots = _selected?.List;
        _count = _slots?.Length ?? plan.Index.Count;
        _unit = plan.Index.Vectors.SegmentRows;
        _merged = plan.NewTops();
        // The most by which a dot product in single precision, of eight lanes or more, can be below the exact one.
        _slack = ((plan.Index.Vectors.Stride / 8) + 16) * MathF.ScaleB(1, -24);
    }

    /// <summary>Scans units until none are left or the search is cancelled.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Work(CancellationToken cancellationToken)
    {
        var tops = _plan.NewTops();
        var scores = new float[BlockRows * tops.Length];
        var rows = stackalloc nint[BlockRows];
        for (var first = NextUnit(); first < _count && !cancellationToken.IsCancellationRequested; first = NextUnit())
        {
            var end = (int)Math.Min(first + _unit, _count);
            for (var start = (int)first; start < end && !cancellationToken.IsCancellationRequested; start += BlockRows)
            {
                Block(start, Math.Min(BlockRows, end - start), rows, scores, tops);
            }
        }

        lock (_merged)
        {
            for (var q = 0; q < tops.Length; q++)
            {
                _merged[q].Merge(tops[q]);
            }
        }
    }

    /// <summary>Returns the hits of each query, best first; call it once.</summary>
    public Hit[][] TakeHits() => [.. _merged.Select(static top => top.Take())];

    private long NextUnit() => (long)Interlocked.Increment(ref _next) * _unit;

    private int Slot(int position) => _slots is null ? position : _slots[position];

    private void Block(int start, int count, nint* rows, float[] scores, TopK[] tops)
    {
        var vectors = _plan.Index.Vectors;
        if (_slots is null)
        {
            // A unit is a segment, so the rows of a block are contiguous.
            var first = vectors.Row(start);
            for (var i = 0; i < count; i++)
            {
                rows[i] = (nint)(first + ((nint)i * vectors.Stride));
            }
        }
        else
        {
            for (var i = 0; i < count; i++)
            {
                rows[i] = (nint)vectors.Row(_slots[start + i]);
            }
        }

        DotProducts.Compute(new ReadOnlySpan<nint>(rows, count), _plan.Queries.Floats, tops.Length, vectors.Stride, scores);
        for (var q = 0; q < tops.Length; q++)
        {
            var top = tops[q];
            var floor = Storage.Score.Least(top.Floor) - _slack;
            var own = scores.AsSpan(q * count, count);
            for (var i = 0; i < own.Length; i++)
            {
                if (own[i] >= floor)
                {
                    // Few get here, so their scores can be precise.
                    var slot = Slot(start + i);
                    if (_selected?.Contains(slot) is false)
                    {
                        continue;
                    }

                    top.Offer(_plan.Score(q, vectors.Span(slot)), _plan.Index.Row(slot), _plan.Index.Id(slot));
                    floor = Storage.Score.Least(top.Floor) - _slack;
                }
            }
        }
    }
}
