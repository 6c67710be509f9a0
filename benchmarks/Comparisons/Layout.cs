using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Core.Imaging;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>Bytes to a tensor's floats, against copying as many floats (P4).</summary>
internal static class Layout
{
    // A batch's tensor: what is written has to reach memory, as it has in the server.
    private const int Items = 64;

    public static async Task<IReadOnlyList<Outcome>> RunAsync(BenchSettings settings)
    {
        var spec = new InputSpec { Width = 112, Height = 112, Mean = [127.5f, 127.5f, 127.5f], Std = [127.5f, 127.5f, 127.5f] };
        var pixels = Enumerable.Range(0, Items).Select(i => Testing.TestImages.Scene(112, 112, i)).ToArray();
        using var tensor = AlignedBuffer.ZeroedFloats(Items * spec.TensorLength);
        using var copied = AlignedBuffer.ZeroedFloats(Items * spec.TensorLength);
        copied.AsSpan<float>().Fill(1);

        void Ours()
        {
            for (var i = 0; i < Items; i++)
            {
                ByteLayout.Colors(pixels[i], tensor.Slice<float>((nuint)(i * spec.TensorLength), spec.TensorLength), spec, swap: false);
            }
        }

        void Copy()
        {
            for (var i = 0; i < Items; i++)
            {
                copied.Slice<float>((nuint)(i * spec.TensorLength), spec.TensorLength).CopyTo(tensor.Slice<float>((nuint)(i * spec.TensorLength), spec.TensorLength));
            }
        }

        var turn = settings.Turn / 5;
        var gigabytes = (double)Items * spec.TensorLength * sizeof(float) / 1e9;
        for (var i = 0; i < 3; i++)
        {
            Clock.Rate(turn, Ours);
        }
        var pairs = await Pairs.MeasureAsync(settings.Pairs, () => gigabytes * Clock.Rate(turn, Ours), () => gigabytes * Clock.Rate(turn, Copy));
        return
        [
            new Outcome
            {
                Id = "P4",
                What = $"u8 HWC to f32 NCHW, {Items} crops of 112x112, over memcpy of the output",
                Ours = $"{Spread.MedianOf(pairs.Ours):0.0} GB/s",
                Reference = $"{Spread.MedianOf(pairs.Reference):0.0} GB/s",
                Ratio = pairs.Ratio,
                Goal = Goal.OrMore(1.0),
                Pairs = pairs.Count,
            },
        ];
    }
}
