using BenchmarkDotNet.Attributes;
using Embeddings.Core;
using Embeddings.Core.Imaging;

namespace Embeddings.Benchmarks.Micro;

/// <summary>A frame of a camera or video decoder to rows of RGB.</summary>
public class RawPixelsBenchmark
{
    private ImageInput _frame;
    private byte[] _rgb = [];

    [Params(PixelFormat.Rgba8, PixelFormat.Nv12, PixelFormat.I420)]
    public PixelFormat Format { get; set; }

    [Params(1920)]
    public int Width { get; set; }

    [Params(1080)]
    public int Height { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        var isYuv = Format != PixelFormat.Rgba8;
        var frame = new ImageInput(default, Format, Width, Height)
        {
            YuvMatrix = isYuv ? YuvMatrix.Bt709 : YuvMatrix.Unspecified,
            YuvRange = isYuv ? YuvRange.Limited : YuvRange.Unspecified,
        };
        var data = new byte[PixelPlanes.Of(frame).Length];
        new Random(1).NextBytes(data);
        _frame = frame with { Data = data };
        _rgb = new byte[Width * Height * 3];
    }

    [Benchmark]
    public void CopyTo() => new RawPixels(_frame).CopyTo(0, Height, _rgb);
}
