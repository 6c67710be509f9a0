using BenchmarkDotNet.Attributes;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Benchmarks.Micro;

/// <summary>Between float32 and float16.</summary>
public class HalfFloatsBenchmark
{
    private float[] _singles = [];
    private Half[] _halves = [];

    [Params(512, 3 * 112 * 112)]
    public int Length { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        _singles = [.. Enumerable.Range(0, Length).Select(static i => MathF.Sin(i))];
        _halves = new Half[Length];
    }

    [Benchmark]
    public void FromSingle() => VectorMath.ToHalf(_singles, _halves);

    [Benchmark]
    public void ToSingle() => VectorMath.ToSingle(_halves, _singles);
}
