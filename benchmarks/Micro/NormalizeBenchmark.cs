using BenchmarkDotNet.Attributes;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Benchmarks.Micro;

/// <summary>Normalization in place, as in the pipeline, and to a row, as in the embedded store.</summary>
public class NormalizeBenchmark
{
    private float[] _vector = [];
    private float[] _unit = [];

    [Params(128, 512, 2048)]
    public int Dimension { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        _vector = [.. Enumerable.Range(0, Dimension).Select(static i => MathF.Sin(i))];
        _unit = new float[Dimension];
    }

    [Benchmark]
    public bool InPlace() => VectorMath.TryNormalize(_vector);

    [Benchmark]
    public bool ToRow() => VectorMath.TryNormalize(_vector, _unit);
}
