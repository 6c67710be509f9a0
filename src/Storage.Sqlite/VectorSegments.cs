using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// A collection's vectors at unit length, by slot. They lie in aligned segments of about 2 MiB rather than in one block: a block that grows must be copied,
/// which takes twice the memory and stops writes and searches meanwhile, and 2 MiB are long enough to stream at full speed.
/// </summary>
internal sealed unsafe class VectorSegments : IDisposable
{
    private const int SegmentBytes = 2 << 20;
    private const int MinSegmentRows = 64;

    private readonly List<AlignedFloats> _segments = [];
    private Task<AlignedFloats>? _next;

    public VectorSegments(int dimension)
    {
        Dimension = dimension;
        Stride = DotProducts.Stride(dimension);
        SegmentRows = Math.Max(MinSegmentRows, SegmentBytes / (Stride * sizeof(float)));
    }

    public int Dimension { get; }

    /// <summary>Floats from one row to the next; those beyond the dimension are zero.</summary>
    public int Stride { get; }

    /// <summary>Rows in a segment.</summary>
    public int SegmentRows { get; }

    /// <summary>
    /// Makes room for this many rows. Memory that nobody had before comes slowly, page by page, so one segment more is made ready meanwhile: the writer, who
    /// keeps searches out while it is here, finds it when it needs it.
    /// </summary>
    public void Reserve(int rows)
    {
        while ((long)_segments.Count * SegmentRows < rows)
        {
            var ready = _next;
            _next = null;
            _segments.Add(ready is null ? NewSegment() : ready.GetAwaiter().GetResult());
            // Not for the first one: most collections of a server that has thousands are small.
            _next = _segments.Count > 1 ? Task.Run(NewSegment) : null;
        }
    }

    /// <summary>Gives back the segments beyond this many rows, but for one, so that a row coming and going does not allocate each time.</summary>
    public void Trim(int rows)
    {
        while ((long)(_segments.Count - 2) * SegmentRows >= rows)
        {
            _segments[^1].Dispose();
            _segments.RemoveAt(_segments.Count - 1);
        }
    }

    public float* Row(int slot) => _segments[slot / SegmentRows].Pointer + ((nint)(slot % SegmentRows) * Stride);

    /// <summary>The row without its padding.</summary>
    public Span<float> Span(int slot) => new(Row(slot), Dimension);

    public void Dispose()
    {
        foreach (var segment in _segments)
        {
            segment.Dispose();
        }

        _segments.Clear();
        _next?.ContinueWith(static made => made.Result.Dispose(), TaskContinuationOptions.OnlyOnRanToCompletion);
        _next = null;
    }

    private AlignedFloats NewSegment() => new(checked(SegmentRows * Stride));
}
