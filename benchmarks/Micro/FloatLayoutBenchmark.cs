using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Embeddings.Core.Imaging;

namespace Embeddings.Benchmarks.Micro;

/// <summary>Interleaved floats to planes, each checked to be finite.</summary>
public class FloatLayoutBenchmark
{
    private byte[] _pixels = [];
    private float[] _tensor = [];

    [Params(112, 224)]
    public int Size { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        _tensor = new float[3 * Size * Size];
        _pixels = MemoryMarshal.AsBytes<float>(_tensor).ToArray();
    }

    [Benchmark]
    public bool TryWrite() => FloatLayout.TryWrite(_pixels, _tensor, swap: false);
}
