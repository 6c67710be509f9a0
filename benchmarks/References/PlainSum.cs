using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Benchmarks.References;

/// <summary>As many floats as a collection has, added up by SIMD on some threads: what reading them once costs.</summary>
internal sealed unsafe class PlainSum : IDisposable
{
    private const int SegmentFloats = 1 << 19;

    private readonly AlignedBuffer[] _segments;
    private readonly ParallelOptions _threads;
    // Written so that no sum can be left out; one for each segment, apart, so that threads do not share a cache line.
    private readonly float[] _sums;

    public PlainSum(long floats, int threads)
    {
        _threads = new ParallelOptions { MaxDegreeOfParallelism = threads };
        _segments = [.. Enumerable.Range(0, (int)((floats + SegmentFloats - 1) / SegmentFloats)).Select(_ => AlignedBuffer.ZeroedFloats(SegmentFloats))];
        _sums = new float[_segments.Length * 16];
        foreach (var segment in _segments)
        {
            segment.AsSpan<float>().Fill(0.001f);
        }
    }

    public void Run() => Parallel.For(0, _segments.Length, _threads, i => _sums[i * 16] = Sum(_segments[i].Floats));

    public void Dispose()
    {
        foreach (var segment in _segments)
        {
            segment.Dispose();
        }
    }

    // Four sums side by side, since an addition has to wait for the one before it; the widest registers there are.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Sum(float* from)
    {
        var (a, b, c, d) = (Vector512<float>.Zero, Vector512<float>.Zero, Vector512<float>.Zero, Vector512<float>.Zero);
        for (var i = 0; i < SegmentFloats; i += 64)
        {
            a += Vector512.LoadAligned(from + i);
            b += Vector512.LoadAligned(from + i + 16);
            c += Vector512.LoadAligned(from + i + 32);
            d += Vector512.LoadAligned(from + i + 48);
        }
        return Vector512.Sum(a + b + c + d);
    }
}
