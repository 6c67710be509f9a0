using Embeddings.Primitives.Numerics;

namespace Embeddings.Core.Faces;

/// <summary>
/// Vectors of one dimension by row number, in aligned segments: rows are zero-padded to the stride of <see
/// cref="DotProducts"/> and never move.
/// </summary>
internal sealed unsafe class ClusteringRows(int dimension) : IDisposable
{
    private const int SegmentBytes = 8 << 20;
    private const int MinSegmentRows = 64;

    private readonly List<AlignedBuffer> _segments = [];
    private readonly int _segmentRows = Math.Max(MinSegmentRows, SegmentBytes / (DotProducts.Stride(dimension) * sizeof(float)));

    public int Dimension { get; } = dimension;

    /// <summary>The number of floats from one row to the next.</summary>
    public int Stride { get; } = DotProducts.Stride(dimension);

    /// <summary>The number of rows.</summary>
    public int Count { get; private set; }

    /// <summary>Adds a row of zeros and returns its number.</summary>
    public int Add()
    {
        if (Count == _segments.Count * _segmentRows)
        {
            _segments.Add(AlignedBuffer.ZeroedFloats(checked(_segmentRows * Stride)));
        }
        return Count++;
    }

    /// <summary>The address of a row.</summary>
    public float* Address(int row) => _segments[row / _segmentRows].Floats + ((nint)(row % _segmentRows) * Stride);

    /// <summary>A row with its padding.</summary>
    public Span<float> Span(int row) => new(Address(row), Stride);

    public void Dispose()
    {
        foreach (var segment in _segments)
        {
            segment.Dispose();
        }
        _segments.Clear();
    }
}
