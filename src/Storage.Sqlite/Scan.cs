using System.Runtime.CompilerServices;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// One pass over a collection by several threads, each taking the next unit of rows when it is done with one. All queries meet a block of rows while it is
/// in the core's cache, so more queries cost arithmetic, not memory bandwidth.
/// </summary>
internal sealed unsafe class Scan
{
    // 64 rows of 512 numbers are 128 KiB: with as many queries they fit the second-level cache.
    private const int BlockRows = 64;

    private readonly SearchPlan _plan;
    private readonly int[]? _slots;
    private readonly int _count;
    private readonly int _unit;
    private readonly TopK[] _merged;
    private int _next = -1;

    /// <summary>The index's gate must be held until the hits are taken.</summary>
    public Scan(SearchPlan plan)
    {
        _plan = plan;
        _slots = plan.Rows is { } rows ? plan.Index.Slots(rows) : null;
        _count = _slots?.Length ?? plan.Index.Count;
        _unit = plan.Index.Vectors.SegmentRows;
        _merged = plan.NewTops();
    }

    /// <summary>Scans units until there are none left or nobody wants them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Work(CancellationToken cancellationToken)
    {
        var tops = _plan.NewTops();
        var scores = new float[BlockRows * tops.Length];
        var rows = stackalloc nint[BlockRows];
        for (var first = NextUnit(); first < _count && !cancellationToken.IsCancellationRequested; first = NextUnit())
        {
            var end = (int)Math.Min(first + _unit, _count);
            for (var start = (int)first; start < end; start += BlockRows)
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

    public Hit[][] Hits() => [.. _merged.Select(static top => top.ToSorted())];

    private long NextUnit() => (long)Interlocked.Increment(ref _next) * _unit;

    private int Slot(int position) => _slots is null ? position : _slots[position];

    private void Block(int start, int count, nint* rows, float[] scores, TopK[] tops)
    {
        var vectors = _plan.Index.Vectors;
        if (_slots is null)
        {
            // A unit is a segment, so a block's rows follow each other.
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

        DotProducts.Compute(new ReadOnlySpan<nint>(rows, count), _plan.Queries.Pointer, tops.Length, vectors.Stride, scores);
        for (var q = 0; q < tops.Length; q++)
        {
            var top = tops[q];
            var floor = top.Floor;
            var own = scores.AsSpan(q * count, count);
            for (var i = 0; i < own.Length; i++)
            {
                if (own[i] >= floor)
                {
                    var slot = Slot(start + i);
                    top.Offer(own[i], _plan.Index.Row(slot), _plan.Index.Id(slot));
                    floor = top.Floor;
                }
            }
        }
    }
}
