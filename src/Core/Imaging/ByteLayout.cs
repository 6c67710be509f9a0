using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Embeddings.Core.Models;

namespace Embeddings.Core.Imaging;

/// <summary>Writes eight-bit pixels to a tensor: each byte is read once, each float written once.</summary>
internal static class ByteLayout
{
    private const int Step = 16;

    /// <summary>
    /// Writes interleaved pixels to three planes of (x - mean) / std. With <paramref name="swap"/> the first channel goes to
    /// the last plane.
    /// </summary>
    public static void Colors(ReadOnlySpan<byte> pixels, Span<float> tensor, InputSpec spec, bool swap)
    {
        var count = tensor.Length / 3;
        var (first, third) = swap ? (2, 0) : (0, 2);
        var (a, b, c) = (ChannelScale.Of(spec, first), ChannelScale.Of(spec, 1), ChannelScale.Of(spec, third));
        var planeA = tensor.Slice(first * count, count);
        var planeB = tensor.Slice(count, count);
        var planeC = tensor.Slice(third * count, count);
        var i = 0;
        if (Vector128.IsHardwareAccelerated && count >= Step)
        {
            ref var from = ref MemoryMarshal.GetReference(pixels[..(count * 3)]);
            ref var toA = ref MemoryMarshal.GetReference(planeA);
            ref var toB = ref MemoryMarshal.GetReference(planeB);
            ref var toC = ref MemoryMarshal.GetReference(planeC);
            for (; ; i = Math.Min(i + Step, count - Step))
            {
                var x = Vector128.LoadUnsafe(ref from, (nuint)(i * 3));
                var y = Vector128.LoadUnsafe(ref from, (nuint)(i * 3 + 16));
                var z = Vector128.LoadUnsafe(ref from, (nuint)(i * 3 + 32));
                a.Store(First(x, y, z), ref Unsafe.Add(ref toA, i));
                b.Store(Second(x, y, z), ref Unsafe.Add(ref toB, i));
                c.Store(Third(x, y, z), ref Unsafe.Add(ref toC, i));
                if (i == count - Step)
                {
                    return;
                }
            }
        }
        for (; i < count; i++)
        {
            planeA[i] = a.Apply(pixels[i * 3]);
            planeB[i] = b.Apply(pixels[i * 3 + 1]);
            planeC[i] = c.Apply(pixels[i * 3 + 2]);
        }
    }

    /// <summary>
    /// Writes interleaved pixels to one plane of (y - mean) / std, where y is the luminance of <see cref="ColorOrder.Gray"/>.
    /// With <paramref name="swap"/> the first channel is blue.
    /// </summary>
    public static void Luminance(ReadOnlySpan<byte> pixels, Span<float> tensor, InputSpec spec, bool swap)
    {
        var (red, blue) = swap ? (2, 0) : (0, 2);
        var (mean, std) = (spec.Mean[0], spec.Std[0]);
        pixels = pixels[..(3 * tensor.Length)];
        for (var i = 0; i < tensor.Length; i++)
        {
            var pixel = pixels.Slice(3 * i, 3);
            var luminance = (0.299f * pixel[red]) + (0.587f * pixel[1]) + (0.114f * pixel[blue]);
            tensor[i] = (luminance - mean) / std;
        }
    }

    /// <summary>Writes gray pixels to each of the model's planes, each with its own mean and std.</summary>
    public static void Gray(ReadOnlySpan<byte> pixels, Span<float> tensor, InputSpec spec)
    {
        var count = tensor.Length / spec.Channels;
        for (var channel = 0; channel < spec.Channels; channel++)
        {
            var scale = ChannelScale.Of(spec, channel);
            var plane = tensor.Slice(channel * count, count);
            var i = 0;
            if (Vector128.IsHardwareAccelerated)
            {
                for (; i <= count - Step; i += Step)
                {
                    scale.Store(Vector128.Create(pixels.Slice(i, Step)), ref plane[i]);
                }
            }
            for (; i < count; i++)
            {
                plane[i] = scale.Apply(pixels[i]);
            }
        }
    }

    // Sixteen pixels are in three vectors; an index past the end of a shuffle gives zero, so that the parts can be or-ed.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> First(Vector128<byte> x, Vector128<byte> y, Vector128<byte> z) =>
        Vector128.Shuffle(x, Vector128.Create((byte)0, 3, 6, 9, 12, 15, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255))
        | Vector128.Shuffle(y, Vector128.Create((byte)255, 255, 255, 255, 255, 255, 2, 5, 8, 11, 14, 255, 255, 255, 255, 255))
        | Vector128.Shuffle(z, Vector128.Create((byte)255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 4, 7, 10, 13));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Second(Vector128<byte> x, Vector128<byte> y, Vector128<byte> z) =>
        Vector128.Shuffle(x, Vector128.Create((byte)1, 4, 7, 10, 13, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255))
        | Vector128.Shuffle(y, Vector128.Create((byte)255, 255, 255, 255, 255, 0, 3, 6, 9, 12, 15, 255, 255, 255, 255, 255))
        | Vector128.Shuffle(z, Vector128.Create((byte)255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2, 5, 8, 11, 14));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Third(Vector128<byte> x, Vector128<byte> y, Vector128<byte> z) =>
        Vector128.Shuffle(x, Vector128.Create((byte)2, 5, 8, 11, 14, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255))
        | Vector128.Shuffle(y, Vector128.Create((byte)255, 255, 255, 255, 255, 1, 4, 7, 10, 13, 255, 255, 255, 255, 255, 255))
        | Vector128.Shuffle(z, Vector128.Create((byte)255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 3, 6, 9, 12, 15));
}

/// <summary>
/// (x - mean) / std of one channel. The subtraction comes first, as in the formula: one multiply-add with -mean / std would be
/// less work and lose the digits of values near the mean.
/// </summary>
internal readonly struct ChannelScale(float mean, float std)
{
    private readonly float _mean = mean;
    private readonly float _std = std;
    private readonly float _inverse = 1 / std;

    public static ChannelScale Of(InputSpec spec, int channel) => new(spec.Mean[channel], spec.Std[channel]);

    public float Apply(byte value) => (value - _mean) / _std;

    /// <summary>Sixteen values to sixteen floats, within a rounding of <see cref="Apply"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(Vector128<byte> values, ref float to)
    {
        if (Avx512F.IsSupported)
        {
            var x = Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(values));
            ((x - Vector512.Create(_mean)) * Vector512.Create(_inverse)).StoreUnsafe(ref to);
        }
        else if (Avx2.IsSupported)
        {
            var (mean, inverse) = (Vector256.Create(_mean), Vector256.Create(_inverse));
            var high = Vector128.CreateScalarUnsafe(values.AsUInt64().GetElement(1)).AsByte();
            ((Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(values)) - mean) * inverse).StoreUnsafe(ref to);
            ((Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(high)) - mean) * inverse).StoreUnsafe(ref to, 8);
        }
        else
        {
            var (mean, inverse) = (Vector128.Create(_mean), Vector128.Create(_inverse));
            var (low, high) = Vector128.Widen(values);
            ((Vector128.ConvertToSingle(Vector128.WidenLower(low).AsInt32()) - mean) * inverse).StoreUnsafe(ref to);
            ((Vector128.ConvertToSingle(Vector128.WidenUpper(low).AsInt32()) - mean) * inverse).StoreUnsafe(ref to, 4);
            ((Vector128.ConvertToSingle(Vector128.WidenLower(high).AsInt32()) - mean) * inverse).StoreUnsafe(ref to, 8);
            ((Vector128.ConvertToSingle(Vector128.WidenUpper(high).AsInt32()) - mean) * inverse).StoreUnsafe(ref to, 12);
        }
    }
}
