using BenchmarkDotNet.Attributes;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Benchmarks.Micro;

/// <summary>A block of 64 rows of 512 bytes with some queries, all in the cache: the arithmetic alone.</summary>
public unsafe class CodeDotsBenchmark
{
    private const int Rows = 64;
    private const int Stride = 512;

    private readonly nint[] _addresses = new nint[Rows];
    private readonly byte[] _codes = new byte[Stride];
    private readonly float[] _unit = new float[Stride];
    private AlignedBuffer? _rows;
    private AlignedBuffer? _queries;
    private int[] _dots = [];

    [Params(1, 4, 64)]
    public int Queries { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        _rows = new AlignedBuffer(Rows * Stride);
        _rows.AsSpan<byte>().Fill(200);
        _queries = new AlignedBuffer((nuint)(Queries * Stride));
        _queries.AsSpan<sbyte>().Fill(-20);
        _dots = new int[Rows * Queries];
        Array.Fill(_unit, 0.04f);
        for (var i = 0; i < Rows; i++)
        {
            _addresses[i] = _rows.Address + (i * Stride);
        }
    }

    [Benchmark(OperationsPerInvoke = Rows)]
    public void Compute() => CodeDots.Compute(_addresses, (sbyte*)_queries!.Address, Queries, Stride, _dots);

    [Benchmark]
    public float Encode() => ByteCodes.Encode(_unit, ByteCodes.RowLevels, ByteCodes.RowBias, _codes, out _);

    [GlobalCleanup]
    public void CleanUp()
    {
        _rows?.Dispose();
        _queries?.Dispose();
    }
}
