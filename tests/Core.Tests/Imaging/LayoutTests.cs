using System.Runtime.InteropServices;
using Embeddings.Core.Imaging;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Imaging;

/// <summary>The vectors against the plain loop: every format, both orders, sizes around and off the vectors' lengths.</summary>
public sealed class LayoutTests
{
    private static readonly float[] Mean = [123.675f, 116.28f, 103.53f];
    private static readonly float[] Std = [58.395f, 57.12f, 57.375f];

    public static TheoryData<int, int> Sizes => new() { { 1, 1 }, { 3, 1 }, { 5, 3 }, { 4, 4 }, { 15, 1 }, { 17, 1 }, { 7, 9 }, { 31, 33 }, { 112, 112 }, { 128, 256 } };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Is_the_plain_loop(int width, int height)
    {
        foreach (var order in new[] { ColorOrder.Rgb, ColorOrder.Bgr })
        {
            foreach (var format in new[] { PixelFormat.Rgb8, PixelFormat.Bgr8, PixelFormat.Gray8, PixelFormat.RgbF32, PixelFormat.BgrF32 })
            {
                var spec = TestImages.Spec(width, height) with { ColorOrder = order, Mean = Mean, Std = Std };
                var data = Data(format, width * height);
                var tensor = new float[spec.TensorLength];
                using var image = new PreparedImage(data, format);
                image.WriteTo(tensor, spec);
                for (var i = 0; i < tensor.Length; i++)
                {
                    var expected = Plain(data, format, order, i % (width * height), i / (width * height));
                    Assert.InRange(tensor[i], expected - Math.Abs(expected) * 1e-6f, expected + Math.Abs(expected) * 1e-6f);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void One_channel_is_the_luminance(int width, int height)
    {
        var spec = TestImages.Spec(width, height) with { ColorOrder = ColorOrder.Gray, Mean = [116], Std = [57] };
        Assert.Equal(width * height, spec.TensorLength);
        foreach (var format in new[] { PixelFormat.Rgb8, PixelFormat.Bgr8, PixelFormat.Gray8 })
        {
            var data = Data(format, width * height);
            var tensor = new float[spec.TensorLength];
            using var image = new PreparedImage(data, format);
            image.WriteTo(tensor, spec);
            for (var i = 0; i < tensor.Length; i++)
            {
                var pixel = format == PixelFormat.Gray8 ? [data.Span[i]] : data.Span.Slice(i * 3, 3).ToArray();
                var luminance = format switch
                {
                    PixelFormat.Rgb8 => (0.299 * pixel[0]) + (0.587 * pixel[1]) + (0.114 * pixel[2]),
                    PixelFormat.Bgr8 => (0.114 * pixel[0]) + (0.587 * pixel[1]) + (0.299 * pixel[2]),
                    _ => pixel[0],
                };
                Assert.Equal((luminance - 116) / 57, tensor[i], 1e-5);
            }
        }
    }

    [Fact]
    public void Values_at_the_mean_are_exact()
    {
        var spec = TestImages.Spec(16, 16) with { Mean = [127.5f, 127.5f, 127.5f], Std = [127.5f, 127.5f, 127.5f] };
        var data = Enumerable.Range(0, 16 * 16 * 3).Select(i => (byte)i).ToArray();
        var tensor = new float[spec.TensorLength];
        new PreparedImage(data, PixelFormat.Rgb8).WriteTo(tensor, spec);
        for (var i = 0; i < tensor.Length; i++)
        {
            var expected = (data[i % 256 * 3 + i / 256] - 127.5f) / 127.5f;
            Assert.InRange(tensor[i] / expected, 1 - 1e-6, 1 + 1e-6);
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void A_value_that_is_not_finite_is_found_at_every_place(float bad)
    {
        var spec = TestImages.Spec(7, 5);
        for (var at = 0; at < 7 * 5 * 3; at++)
        {
            var floats = new float[7 * 5 * 3];
            floats[at] = bad;
            using var image = new PreparedImage(MemoryMarshal.AsBytes<float>(floats).ToArray(), PixelFormat.RgbF32);
            var fault = Assert.Throws<Fault>(() => image.WriteTo(new float[spec.TensorLength], spec));
            Assert.Equal((Reasons.PixelsNotFinite, "image.pixels.data"), (fault.Reason, fault.Field));
        }
    }

    [Fact]
    public void The_largest_floats_are_numbers()
    {
        var spec = TestImages.Spec(4, 4);
        float[] floats = [.. Enumerable.Range(0, 48).Select(i => i % 2 == 0 ? float.MaxValue : -float.Epsilon)];
        var tensor = new float[48];
        new PreparedImage(MemoryMarshal.AsBytes<float>(floats).ToArray(), PixelFormat.RgbF32).WriteTo(tensor, spec);
        Assert.Equal(floats.Order(), tensor.Order());
    }

    [Fact]
    public void A_tensor_of_another_size_is_refused() =>
        Assert.Throws<ArgumentException>(() => new PreparedImage(new byte[48], PixelFormat.Rgb8).WriteTo(new float[47], TestImages.Spec(4, 4)));

    // One byte before the pixels, so that nothing is aligned.
    private static ReadOnlyMemory<byte> Data(PixelFormat format, int pixels)
    {
        var random = new Random(pixels);
        if (format is PixelFormat.RgbF32 or PixelFormat.BgrF32)
        {
            var floats = Enumerable.Range(0, pixels * 3).Select(_ => random.NextSingle() * 6 - 3).ToArray();
            return new byte[] { 1 }.Concat(MemoryMarshal.AsBytes<float>(floats).ToArray()).ToArray().AsMemory(1);
        }
        var bytes = new byte[pixels * (format == PixelFormat.Gray8 ? 1 : 3) + 1];
        random.NextBytes(bytes);
        return bytes.AsMemory(1);
    }

    private static float Plain(ReadOnlyMemory<byte> data, PixelFormat format, ColorOrder order, int pixel, int channel)
    {
        var swap = format is PixelFormat.Bgr8 or PixelFormat.BgrF32 != (order == ColorOrder.Bgr);
        var from = pixel * 3 + (swap ? 2 - channel : channel);
        return format switch
        {
            PixelFormat.Gray8 => (data.Span[pixel] - Mean[channel]) / Std[channel],
            PixelFormat.Rgb8 or PixelFormat.Bgr8 => (data.Span[from] - Mean[channel]) / Std[channel],
            _ => BitConverter.ToSingle(data.Span[(from * 4)..]),
        };
    }
}
