using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage.Sqlite;

/// <summary>The rows that can be hits of one query.</summary>
/// <param name="Items">The rows in descending order of the upper bounds.</param>
/// <param name="IsAll">True if any row can be a hit, because there were too many to keep; there are no items then.</param>
/// <param name="Selected">If so, the rows that the filter selects, or null without a filter.</param>
internal readonly record struct CandidateRows(Candidate[] Items, bool IsAll, long[]? Selected = null);

/// <summary>
/// One pass over the codes of a collection by several threads; a thread that finishes a unit of rows takes the next one. All queries
/// are compared with a block of rows while it is in the core's cache, so additional queries cost arithmetic, not memory bandwidth.
/// </summary>
/// <remarks>
/// <para>
/// For a query <c>q</c> and a row <c>x</c>, both of norm 1, with codes <c>c</c> and scales <c>s</c>, let <c>x' = s c</c> be the row as
/// it is encoded and <c>e</c> the norm of <c>x - x'</c>, and likewise for the query. By Cauchy and Schwarz:
/// </para>
/// <para>1. <c>|qx - q'x'| &lt;= |q| e(x) + e(q) |x'|</c>, where <c>q'x'</c> is a product of integers. Most rows are below it.</para>
/// <para>2. <c>|qx - qx'| &lt;= |q| e(x)</c>, where <c>qx'</c> is computed in floats for the rows that remain.</para>
/// <para>
/// A row whose upper bound is below the lower bounds of as many rows as there are hits cannot be a hit. The score itself is computed
/// from the vectors in the file for the rows that are left (<see cref="Rescoring"/>).
/// </para>
/// </remarks>
internal sealed unsafe class Scan : IDisposable
{
    /// <summary>
    /// More than all of the following together: the norms differ from 1 by at most 1e-6, the bounds are computed in single precision,
    /// and a score is rounded to a multiple of 2^-20.
    /// </summary>
    public const float Slack = 1f / (1 << 17);

    // 64 rows of 512 dimensions are 32 KiB: together with as many queries they fit into the L2 cache.
    private const int BlockRows = 64;

    private const int MinCapacity = 256;

    // More than the error of a bound that is itself computed in single precision.
    private const double Inflation = 1 + 1e-5;

    private readonly SearchPlan _plan;
    private readonly CodeSegments _vectors;
    private readonly SlotSet? _selected;
    private readonly int[]? _slots;
    private readonly int _count;
    private readonly int _unit;
    private readonly int _capacity;
    private readonly AlignedBuffer _codes;
    private readonly QueryBound[] _bounds;
    private readonly float[] _floors;
    private readonly float _preciseFactor;
    private readonly float _preciseSlack;
    private readonly List<Candidates[]> _found = [];
    private int _next = -1;

    /// <summary>Prepares the scan. The caller holds the index's gate until it has the candidates.</summary>
    public Scan(SearchPlan plan, int workers)
    {
        _plan = plan;
        _vectors = plan.Index.Vectors;
        _selected = plan.Rows?.Slots(plan.Index);
        _slots = _selected?.List;
        _count = _slots?.Length ?? plan.Index.Count;
        _unit = _slots is null ? _vectors.SegmentRows : 16 * BlockRows;
        _capacity = Math.Max(MinCapacity, plan.MaxCandidates / (plan.QueryCount * workers));
        _floors = new float[plan.QueryCount];
        Array.Fill(_floors, plan.Threshold ?? float.NegativeInfinity);
        var error = CodeDots.PreciseError(_vectors.Stride);
        _preciseFactor = ByteCodes.RoundUp((1 + 1e-5 + error) * Inflation);
        _preciseSlack = ByteCodes.RoundUp((error * Inflation) + Slack);
        _codes = AlignedBuffer.ZeroedFloats(checked(plan.QueryCount * _vectors.CodeStride / sizeof(float)));
        _bounds = new QueryBound[plan.QueryCount];
        var unit = new float[_vectors.CodeStride];
        for (var q = 0; q < _bounds.Length; q++)
        {
            plan.Queries.Slice<float>((nuint)((long)q * _vectors.Stride), _vectors.Stride).CopyTo(unit);
            _bounds[q] = QueryBound.Encode(unit, _codes.Slice<byte>((nuint)((long)q * unit.Length), unit.Length));
        }
    }

    /// <summary>Scans units until none are left or the search is cancelled.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Work(CancellationToken cancellationToken)
    {
        var keep = _plan.Limit;
        Candidates[] found =
        [
            .. _plan.Excluded.Select((ids, q) => new Candidates(keep + (ids?.Count ?? 0), _floors[q], _capacity)),
        ];
        var dots = new int[BlockRows * found.Length];
        var rows = stackalloc nint[BlockRows];
        for (var first = NextUnit(); first < _count && !cancellationToken.IsCancellationRequested; first = NextUnit())
        {
            var end = (int)Math.Min(first + _unit, _count);
            for (var start = (int)first; start < end && !cancellationToken.IsCancellationRequested; start += BlockRows)
            {
                Block(start, Math.Min(BlockRows, end - start), rows, dots, found);
            }
        }

        lock (_found)
        {
            _found.Add(found);
        }
    }

    /// <summary>Returns the candidates of each query; call it once.</summary>
    public CandidateRows[] Take()
    {
        var rows = new CandidateRows[_bounds.Length];
        long[]? selected = null;
        for (var q = 0; q < rows.Length; q++)
        {
            var all = _found[0][q];
            foreach (var other in _found.Skip(1))
            {
                all.MergeLows(other[q]);
            }

            if (all.IsOverfull)
            {
                selected ??= SelectedRows();
                rows[q] = new CandidateRows([], IsAll: true, selected);
                continue;
            }

            var items = new List<Candidate>();
            foreach (var some in _found)
            {
                some[q].CopyTo(items, all.Floor, _plan.Index);
            }

            items.Sort(static (left, right) => right.High.CompareTo(left.High));
            rows[q] = new CandidateRows([.. items], IsAll: false);
        }

        return rows;
    }

    public void Dispose() => _codes.Dispose();

    private long[]? SelectedRows() => _selected is null ? null
        : _slots is not null ? Array.ConvertAll(_slots, _plan.Index.Row)
        : [.. Enumerable.Range(0, _count).Where(_selected.Contains).Select(_plan.Index.Row)];

    private long NextUnit() => (long)Interlocked.Increment(ref _next) * _unit;

    private int Slot(int position) => _slots is null ? position : _slots[position];

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Block(int start, int count, nint* rows, int[] dots, Candidates[] found)
    {
        var buffer = stackalloc float[2 * BlockRows];
        var scales = buffer;
        var errors = buffer + BlockRows;
        if (_slots is null)
        {
            // A unit is a segment, so the rows of a block are contiguous.
            var first = _vectors.Codes(start);
            for (var i = 0; i < count; i++)
            {
                rows[i] = (nint)(first + ((nint)i * _vectors.CodeStride));
            }

            scales = _vectors.Scales(start);
            errors = _vectors.Errors(start);
        }
        else
        {
            for (var i = 0; i < count; i++)
            {
                var slot = _slots[start + i];
                rows[i] = (nint)_vectors.Codes(slot);
                scales[i] = *_vectors.Scales(slot);
                errors[i] = *_vectors.Errors(slot);
            }
        }

        CodeDots.Compute(
            new ReadOnlySpan<nint>(rows, count), (sbyte*)_codes.Address, found.Length, _vectors.CodeStride, dots);
        fixed (int* all = dots)
        {
            for (var q = 0; q < found.Length; q++)
            {
                found[q].Raise(Volatile.Read(ref _floors[q]));
                Compare(start, count, q, all + ((nint)q * count), (byte**)rows, scales, errors, found[q]);
                if (found[q].Floor > Volatile.Read(ref _floors[q]))
                {
                    // Another thread may overwrite it with a lower floor, which is valid, too.
                    Volatile.Write(ref _floors[q], found[q].Floor);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Compare(
        int start, int count, int q, int* dots, byte** rows, float* scales, float* errors, Candidates found)
    {
        ref readonly var bound = ref _bounds[q];
        var (correction, scale) = (Vector512.Create(bound.Correction), Vector512.Create(bound.Scale));
        var (factor, offset) = (Vector512.Create(bound.Factor), Vector512.Create(bound.Offset));
        var i = 0;
        for (; i <= count - 16; i += 16)
        {
            var dot = Vector512.ConvertToSingle(Vector512.Load(dots + i) - correction) * (Vector512.Load(scales + i) * scale);
            var high = dot + Vector512.FusedMultiplyAdd(Vector512.Load(errors + i), factor, offset);
            var mask = Vector512.GreaterThanOrEqual(high, Vector512.Create(found.Floor)).ExtractMostSignificantBits();
            for (; mask != 0; mask &= mask - 1)
            {
                var at = i + BitOperations.TrailingZeroCount(mask);
                Refine(start + at, q, rows[at], scales[at], errors[at], found);
            }
        }

        for (; i < count; i++)
        {
            var high = ((dots[i] - bound.Correction) * (scales[i] * bound.Scale)) + (errors[i] * bound.Factor) + bound.Offset;
            if (high >= found.Floor)
            {
                Refine(start + i, q, rows[i], scales[i], errors[i], found);
            }
        }
    }

    private void Refine(int position, int q, byte* row, float scale, float error, Candidates found)
    {
        if (_slots is null && _selected?.Contains(position) is false)
        {
            return;
        }

        var dot = scale * CodeDots.Precise(row, _plan.Queries.Floats + ((nint)q * _vectors.Stride), _vectors.Stride);
        var margin = (error * _preciseFactor) + _preciseSlack;
        if (dot + margin >= found.Floor)
        {
            found.Add(Slot(position), dot - margin, dot + margin);
        }
    }

    /// <summary>The numbers of a query that the first bound needs: <c>(dot - Correction) * Scale * s(x) + e(x) * Factor + Offset</c>.</summary>
    /// <param name="Scale">The scale of the query's codes.</param>
    /// <param name="Correction">The bias of the rows' codes, times the query's codes.</param>
    /// <param name="Factor">Times the error of a row.</param>
    /// <param name="Offset">The error of the query, and the slack.</param>
    private readonly record struct QueryBound(float Scale, int Correction, float Factor, float Offset)
    {
        public static QueryBound Encode(ReadOnlySpan<float> unit, Span<byte> codes)
        {
            var error = ByteCodes.Encode(unit, CodeDots.LevelsFor(unit.Length), bias: 0, codes, out var scale);
            var sum = 0;
            foreach (var code in codes)
            {
                sum = unchecked(sum + (sbyte)code);
            }

            // |x'| is at most 1e-6 + 1 + e(x).
            return new QueryBound(
                scale,
                unchecked(sum * ByteCodes.RowBias),
                ByteCodes.RoundUp((1 + 1e-5 + error) * Inflation),
                ByteCodes.RoundUp((error * (1 + 1e-5) * Inflation) + Slack));
        }
    }
}
