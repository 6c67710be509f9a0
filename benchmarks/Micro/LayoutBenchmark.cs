using BenchmarkDotNet.Attributes;
using Embeddings.Benchmarks.Models;
using Embeddings.Core.Imaging;
using Embeddings.Core.Models;

namespace Embeddings.Benchmarks.Micro;

/// <summary>Interleaved bytes to planes of floats.</summary>
public class LayoutBenchmark
{
    private byte[] _pixels = [];
    private float[] _tensor = [];
    private InputSpec _spec = new() { Width = 1, Height = 1 };

    [Params(112, 224)]
    public int Size { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        _pixels = Testing.TestImages.Scene(Size, Size, 1);
        _tensor = new float[3 * Size * Size];
        _spec = new InputSpec { Width = Size, Height = Size, Mean = [127.5f, 127.5f, 127.5f], Std = [127.5f, 127.5f, 127.5f] };
    }

    [Benchmark]
    public void Colors() => ByteLayout.Colors(_pixels, _tensor, _spec, swap: false);
}
