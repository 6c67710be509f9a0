using System.Numerics.Tensors;
using Embeddings.Server.Numerics;

namespace Embeddings.Benchmarks.References;

/// <summary>As many floats as a collection has, added up by SIMD on some threads: what reading them once costs.</summary>
internal sealed class PlainSum : IDisposable
{
    private const int SegmentFloats = 1 << 19;

    private readonly AlignedFloats[] _segments;
    private readonly ParallelOptions _threads;
    private float _sink;

    public PlainSum(long floats, int threads)
    {
        _threads = new ParallelOptions { MaxDegreeOfParallelism = threads };
        _segments = [.. Enumerable.Range(0, (int)((floats + SegmentFloats - 1) / SegmentFloats)).Select(_ => new AlignedFloats(SegmentFloats))];
        foreach (var segment in _segments)
        {
            segment.Span.Fill(0.001f);
        }
    }

    public void Run() => Parallel.For(0, _segments.Length, _threads, i => _sink = TensorPrimitives.Sum<float>(_segments[i].Span));

    public void Dispose()
    {
        GC.KeepAlive(_sink);
        foreach (var segment in _segments)
        {
            segment.Dispose();
        }
    }
}
