using System.Numerics;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// A collection's normalized vectors by slot, in aligned segments of about 2 MiB rather than in one block: growing a
/// block requires a copy, which takes twice the memory and stops writes and searches while it runs, and 2 MiB are
/// enough to stream at full speed. Only the first segment grows, by doubling: most collections of a server with
/// thousands are small.
/// </summary>
internal sealed unsafe class VectorSegments : IDisposable
{
    private const int SegmentBytes = 2 << 20;
    private const int MinSegmentRows = 64;
    private const int FirstBytes = 4 << 10;

    private readonly List<AlignedBuffer> _segments = [];
    private Task<AlignedBuffer>? _next;

    public VectorSegments(int dimension)
    {
        Dimension = dimension;
        Stride = DotProducts.Stride(dimension);
        SegmentRows = Math.Max(MinSegmentRows, SegmentBytes / (Stride * sizeof(float)));
    }

    public int Dimension { get; }

    /// <summary>The number of floats from one row to the next; those beyond the dimension are zero.</summary>
    public int Stride { get; }

    /// <summary>The number of rows in a segment.</summary>
    public int SegmentRows { get; }

    /// <summary>The bytes allocated.</summary>
    public long Bytes => _segments.Sum(static segment => (long)segment.Bytes);

    /// <summary>
    /// Makes room for a number of rows. New memory is slow at first, because each page has to be committed, so the next
    /// segment is prepared in the background: the writer, which blocks searches while it is here, finds it ready.
    /// </summary>
    public void Reserve(int rows)
    {
        GrowFirst(Math.Min(rows, SegmentRows));
        while ((long)_segments.Count * SegmentRows < rows)
        {
            var ready = _next;
            _next = null;
            _segments.Add(ready is null ? NewSegment(SegmentRows) : ready.GetAwaiter().GetResult());
            _next = Task.Run(() => NewSegment(SegmentRows));
        }
    }

    /// <summary>
    /// Frees the segments beyond a number of rows except one, so that repeated inserts and deletes do not allocate each
    /// time; all of them if no rows are left.
    /// </summary>
    public void Trim(int rows)
    {
        if (rows == 0)
        {
            Dispose();
        }

        while ((long)(_segments.Count - 2) * SegmentRows >= rows)
        {
            _segments[^1].Dispose();
            _segments.RemoveAt(_segments.Count - 1);
        }
    }

    public float* Row(int slot) => _segments[slot / SegmentRows].Floats + ((nint)(slot % SegmentRows) * Stride);

    /// <summary>The row without its padding.</summary>
    public Span<float> Span(int slot) => new(Row(slot), Dimension);

    public void Dispose()
    {
        foreach (var segment in _segments)
        {
            segment.Dispose();
        }

        _segments.Clear();
        _next?.ContinueWith(static next => next.Result.Dispose(), TaskContinuationOptions.OnlyOnRanToCompletion);
        _next = null;
    }

    private void GrowFirst(int rows)
    {
        var rowBytes = (nuint)Stride * sizeof(float);
        if (_segments.Count > 0 && _segments[0].Bytes >= (nuint)rows * rowBytes)
        {
            return;
        }

        var doubled = Math.Max((int)BitOperations.RoundUpToPowerOf2((uint)rows), (int)(FirstBytes / rowBytes));
        var grown = NewSegment(Math.Min(doubled, SegmentRows));
        if (_segments.Count == 0)
        {
            _segments.Add(grown);
            return;
        }

        _segments[0].AsSpan<float>().CopyTo(grown.AsSpan<float>());
        _segments[0].Dispose();
        _segments[0] = grown;
    }

    private AlignedBuffer NewSegment(int rows) => AlignedBuffer.ZeroedFloats(checked(rows * Stride));
}
