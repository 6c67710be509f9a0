using BenchmarkDotNet.Attributes;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Benchmarks.Micro;

/// <summary>A block of 64 rows of 512 floats with some queries, all in the cache: the arithmetic alone.</summary>
public unsafe class DotProductsBenchmark
{
    private const int Rows = 64;
    private const int Stride = 512;

    private readonly nint[] _addresses = new nint[Rows];
    private AlignedBuffer? _rows;
    private AlignedBuffer? _queries;
    private float[] _scores = [];

    [Params(1, 4, 64)]
    public int Queries { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        _rows = AlignedBuffer.ZeroedFloats(Rows * Stride);
        _rows.AsSpan<float>().Fill(0.5f);
        _queries = AlignedBuffer.ZeroedFloats(Queries * Stride);
        _queries.AsSpan<float>().Fill(0.25f);
        _scores = new float[Rows * Queries];
        for (var i = 0; i < Rows; i++)
        {
            _addresses[i] = (nint)(_rows.Floats + (i * Stride));
        }
    }

    [Benchmark(OperationsPerInvoke = Rows)]
    public void Compute() => DotProducts.Compute(_addresses, _queries!.Floats, Queries, Stride, _scores);

    [GlobalCleanup]
    public void CleanUp()
    {
        _rows?.Dispose();
        _queries?.Dispose();
    }
}
