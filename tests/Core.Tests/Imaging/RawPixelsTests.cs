using Embeddings.Core.Imaging;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Imaging;

/// <summary>Formats of video decoders and cameras give what the RGB that they stand for gives.</summary>
public sealed class RawPixelsTests
{
    // Widths around the steps of the vector loops, odd and even.
    private static readonly int[] Sides = [1, 2, 3, 4, 5, 6, 7, 15, 16, 17, 31, 32, 33, 47, 48, 50, 64, 65, 97];

    public static TheoryData<int, int, int> YuvCases => [.. from format in new[] { 8, 9 } from matrix in new[] { 1, 2 } from range in new[] { 1, 2 } select (format, matrix, range)];

    [Theory]
    [MemberData(nameof(YuvCases))]
    public void Yuv_is_the_rgb_of_the_formula_within_a_level(int format, int matrix, int range)
    {
        var random = new Random(5);
        var differing = 0;
        var total = 0;
        foreach (var width in Sides)
        {
            var height = Sides[random.Next(Sides.Length)];
            foreach (var padding in new[] { 0, 1, 7, 64 })
            {
                var image = RandomYuv(format, width, height, padding, matrix, range, random, isExtreme: padding == 7);
                var rgb = Formula(image);
                var got = Read(image);
                for (var i = 0; i < rgb.Length; i++)
                {
                    Assert.True(Math.Abs(rgb[i] - got[i]) <= 1, $"{width}x{height}+{padding} at {i}: {got[i]} instead of {rgb[i]}");
                    differing += rgb[i] == got[i] ? 0 : 1;
                }
                total += rgb.Length;
            }
        }
        Assert.True(differing < total / 10, $"{differing} of {total} values differ");
    }

    [Theory]
    [MemberData(nameof(YuvCases))]
    public void All_values_of_luma_and_chroma_are_within_a_level(int format, int matrix, int range)
    {
        // Each Cb with each Cr in a sample of chroma; four values of luma per image, a third of them in all.
        for (var first = 0; first < 256; first += 12)
        {
            var data = new byte[(512 * 512) + (2 * 256 * 256)];
            for (var y = 0; y < 512; y++)
            {
                for (var x = 0; x < 512; x++)
                {
                    data[(y * 512) + x] = (byte)(first + (y % 2 * 2) + (x % 2));
                }
            }
            for (var i = 0; i < 65_536; i++)
            {
                data[(512 * 512) + (format == 8 ? 2 * i : i)] = (byte)(i / 256);
                data[(512 * 512) + (format == 8 ? (2 * i) + 1 : 65_536 + i)] = (byte)i;
            }
            var image = Yuv(format, data, 512, 512, 0, matrix, range);
            var rgb = Formula(image);
            var got = Read(image);
            for (var i = 0; i < rgb.Length; i++)
            {
                if (Math.Abs(rgb[i] - got[i]) > 1)
                {
                    Assert.Fail($"luma {first}, at {i}: {got[i]} instead of {rgb[i]}");
                }
            }
        }
    }

    // A row of one or two pixels is converted by the plain loop, a long one by vectors.
    [Theory]
    [MemberData(nameof(YuvCases))]
    public void Vectors_give_what_the_plain_loop_gives(int format, int matrix, int range)
    {
        var random = new Random(6);
        foreach (var width in Sides)
        {
            var image = RandomYuv(format, width, 3, 0, matrix, range, random, isExtreme: width % 2 == 0);
            var whole = Read(image);
            for (var x = 0; x < width; x += 2)
            {
                var w = Math.Min(2, width - x);
                var part = Read(Column(image, x, w));
                for (var y = 0; y < 3; y++)
                {
                    Assert.Equal(part[(y * w * 3)..((y + 1) * w * 3)], whole[(((y * width) + x) * 3)..(((y * width) + x + w) * 3)]);
                }
            }
        }
    }

    [Fact]
    public void Known_colors_of_the_standards()
    {
        // The bars of 75 % and 100 % in tables of BT.601 and BT.709: luma, Cb, Cr of limited range, and the color.
        (int Matrix, byte[] Yuv, byte[] Rgb)[] known =
        [
            (1, [16, 128, 128], [0, 0, 0]), (1, [235, 128, 128], [255, 255, 255]),
            (1, [81, 90, 240], [255, 0, 0]), (1, [145, 54, 34], [0, 255, 0]), (1, [41, 240, 110], [0, 0, 255]),
            (2, [63, 102, 240], [255, 0, 0]), (2, [173, 42, 26], [0, 255, 0]), (2, [32, 240, 118], [0, 0, 255]),
        ];
        foreach (var (matrix, yuv, rgb) in known)
        {
            var got = Read(Yuv(8, yuv, 1, 1, 0, matrix, 1));
            for (var c = 0; c < 3; c++)
            {
                Assert.InRange(got[c], rgb[c] - 2, rgb[c] + 2);
            }
        }
    }

    [Fact]
    public void Transparent_pixels_are_those_of_an_encoded_image()
    {
        // All pairs of a value and an alpha.
        var rgba = new byte[256 * 256 * 4];
        for (var i = 0; i < 65_536; i++)
        {
            (rgba[i * 4], rgba[(i * 4) + 1], rgba[(i * 4) + 2], rgba[(i * 4) + 3]) = ((byte)i, (byte)(255 - i), (byte)(i * 7), (byte)(i / 256));
        }
        var spec = TestImages.Spec(256, 256);
        var expected = TestImages.Rgb(TestImages.File(TestImages.Encode(rgba, 256, 256, 4, ".png")), spec);
        byte[] bgra = [.. rgba.Chunk(4).SelectMany(p => new[] { p[2], p[1], p[0], p[3] })];
        Assert.Equal(expected, TestImages.Rgb(new ImageInput(rgba, PixelFormat.Rgba8, 256, 256), spec));
        Assert.Equal(expected, TestImages.Rgb(new ImageInput(bgra, PixelFormat.Bgra8, 256, 256), spec));
    }

    [Fact]
    public void Blending_with_vectors_is_blending_in_a_loop()
    {
        var random = new Random(7);
        foreach (var width in Sides)
        {
            var pixels = new byte[width * 4];
            random.NextBytes(pixels);
            var got = new byte[(width * 3) + 9];
            AlphaBlend.OntoBlack(pixels, got.AsSpan(0, width * 3));
            for (var i = 0; i < width * 3; i++)
            {
                Assert.Equal(pixels[(i / 3 * 4) + (i % 3)] * pixels[(i / 3 * 4) + 3] / 255, got[i]);
            }
            Assert.All(got[(width * 3)..], value => Assert.Equal(0, value));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    public void Padded_rows_give_what_packed_rows_give(int format)
    {
        foreach (var hasFace in new[] { false, true })
        {
            foreach (var (width, height) in new[] { (151, 121), (64, 48) })
            {
                var spec = TestImages.Spec(64, 48);
                var packed = Packed(format, width, height) with { Landmarks = hasFace ? Face(height) : null };
                var expected = TestImages.Rgb(packed, spec);
                foreach (var padding in new[] { 0, 1, 33 })
                {
                    var padded = Padded(packed, padding);
                    Assert.Equal(expected, TestImages.Rgb(padded, spec));
                    var shortest = PixelPlanes.Of(padded).ShortestLength;
                    Assert.Equal(expected, TestImages.Rgb(padded with { Data = padded.Data[..(int)shortest] }, spec));
                }
            }
        }
    }

    [Theory]
    [InlineData((int)ResizeMode.Stretch)]
    [InlineData((int)ResizeMode.CenterCrop)]
    [InlineData((int)ResizeMode.Letterbox)]
    public void Converted_pixels_are_resized_aligned_and_laid_out_as_their_rgb(int mode)
    {
        foreach (var hasFace in new[] { false, true })
        {
            foreach (var (width, height) in new[] { (151, 121), (64, 48), (300, 500) })
            {
                foreach (var format in new[] { 6, 7, 8, 9 })
                {
                    var spec = TestImages.Spec(64, 48, (ResizeMode)mode, Interpolation.Bicubic);
                    var image = Packed(format, width, height) with { Landmarks = hasFace ? Face(height) : null };
                    var rgb = Read(image);
                    if (format == 7)
                    {
                        rgb = [.. rgb.Select((_, i) => rgb[i + 2 - (i % 3 * 2)])];
                    }
                    Assert.Equal(
                        TestImages.Rgb(new ImageInput(rgb, PixelFormat.Rgb8, width, height, image.Landmarks), spec),
                        TestImages.Rgb(image, spec));
                }
            }
        }
    }

    [Fact]
    public void Padded_floats_are_those_of_packed_rows()
    {
        var spec = TestImages.Spec(20, 10);
        var packed = new byte[20 * 10 * 12];
        for (var i = 0; i < packed.Length / 4; i++)
        {
            BitConverter.TryWriteBytes(packed.AsSpan(i * 4), i * 0.5f);
        }
        var image = new ImageInput(packed, PixelFormat.BgrF32, 20, 10);
        var expected = Tensor(image, spec);
        Assert.Equal(expected, Tensor(Padded(image, 3), spec));
        Assert.Equal(expected, Tensor(Padded(image, 16) with { Data = Padded(image, 16).Data[..^16] }, spec));
    }

    [Fact]
    public void What_follows_the_pixels_of_a_row_is_ignored()
    {
        var spec = TestImages.Spec(20, 10);
        var image = Padded(new ImageInput(new byte[20 * 10 * 12], PixelFormat.RgbF32, 20, 10), 8);
        var data = image.Data.ToArray();
        for (var y = 0; y < 10; y++)
        {
            BitConverter.TryWriteBytes(data.AsSpan((y * 248) + 240), float.NaN);
        }
        Assert.All(Tensor(image with { Data = data }, spec), value => Assert.Equal(0, value));
        BitConverter.TryWriteBytes(data.AsSpan(248), float.NaN);
        Assert.Equal(Reasons.PixelsNotFinite, Assert.Throws<Fault>(() => Tensor(image with { Data = data }, spec)).Reason);
    }

    [Fact]
    public void Rows_that_are_as_they_should_be_are_not_copied()
    {
        var data = TestImages.Busy(20, 10);
        using var rows = RawRows.Of(new ImageInput(data, PixelFormat.Bgr8, 20, 10));
        Assert.True(rows.Rows(3, 2) == data.AsSpan(180, 120));
        using var padded = RawRows.Of(Padded(new ImageInput(data, PixelFormat.Bgr8, 20, 10), 5));
        Assert.True(padded.Rows(3, 2).SequenceEqual(data.AsSpan(180, 120)));
    }

    private static Landmarks Face(int height)
    {
        var scale = height / 121f;
        return new(
            new(40 * scale, 50 * scale), new(70 * scale, 50 * scale), new(56 * scale, 70 * scale), new(42 * scale, 90 * scale), new(70 * scale, 91 * scale));
    }

    private static byte[] Read(in ImageInput image)
    {
        using var rows = RawRows.Of(image);
        return rows.Rows(0, image.Height).ToArray();
    }

    private static float[] Tensor(in ImageInput image, InputSpec spec)
    {
        using var prepared = new Preprocessor(new ImagingOptions()).Prepare(image, spec);
        var tensor = new float[spec.TensorLength];
        prepared.WriteTo(tensor, spec);
        return tensor;
    }

    private static ImageInput Packed(int format, int width, int height)
    {
        var image = Yuv(format, [], width, height, 0, format >= 8 ? 2 : 0, format >= 8 ? 1 : 0);
        var smooth = TestImages.Smooth(width, height * 4, 1);
        return image with { Data = Enumerable.Range(0, (int)PixelPlanes.Of(image).Length).Select(i => smooth[i % smooth.Length]).ToArray() };
    }

    // Copies each plane row by row; the padding is 170.
    private static ImageInput Padded(in ImageInput packed, int padding)
    {
        var from = PixelPlanes.Of(packed);
        var image = packed with { RowStride = from.SmallestStride + padding };
        var to = PixelPlanes.Of(image);
        var data = new byte[to.Length];
        data.AsSpan().Fill(170);
        for (var y = 0; y < packed.Height; y++)
        {
            packed.Data.Span.Slice(from.Row(y), from.RowBytes).CopyTo(data.AsSpan(to.Row(y)));
            for (var plane = 0; plane < from.ChromaPlanes; plane++)
            {
                packed.Data.Span.Slice(from.ChromaRow(plane, y), from.ChromaRowBytes).CopyTo(data.AsSpan(to.ChromaRow(plane, y)));
            }
        }
        return image with { Data = data };
    }

    private static ImageInput Yuv(int format, byte[] data, int width, int height, int stride, int matrix, int range) =>
        new(data, (PixelFormat)format, width, height) { RowStride = stride, YuvMatrix = (YuvMatrix)matrix, YuvRange = (YuvRange)range };

    private static ImageInput RandomYuv(
        int format, int width, int height, int padding, int matrix, int range, Random random, bool isExtreme)
    {
        var stride = padding == 0 ? 0 : width + 1 + padding;
        var image = Yuv(format, [], width, height, stride, matrix, range);
        var data = new byte[PixelPlanes.Of(image).Length];
        random.NextBytes(data);
        byte[] extremes = [0, 1, 15, 16, 17, 127, 128, 129, 235, 236, 240, 241, 254, 255];
        return image with { Data = isExtreme ? data.Select(value => extremes[value % extremes.Length]).ToArray() : data };
    }

    // The columns from x on, an even number, as an image of their own.
    private static ImageInput Column(in ImageInput image, int x, int width)
    {
        var from = PixelPlanes.Of(image);
        var part = image with { Width = width, RowStride = 0 };
        var to = PixelPlanes.Of(part);
        var data = new byte[to.Length];
        for (var y = 0; y < image.Height; y++)
        {
            image.Data.Span.Slice(from.Row(y) + x, width).CopyTo(data.AsSpan(to.Row(y)));
            for (var plane = 0; plane < from.ChromaPlanes; plane++)
            {
                var at = from.ChromaPlanes == 1 ? x : x / 2;
                image.Data.Span.Slice(from.ChromaRow(plane, y) + at, to.ChromaRowBytes).CopyTo(data.AsSpan(to.ChromaRow(plane, y)));
            }
        }
        return part with { Data = data };
    }

    // The formulas of BT.601 and BT.709 in doubles, with the positions computed anew.
    private static byte[] Formula(in ImageInput image)
    {
        var (width, height) = (image.Width, image.Height);
        var isPairs = image.Format == PixelFormat.Nv12;
        var (half, rows) = ((width + 1) / 2, (height + 1) / 2);
        var stride = image.RowStride == 0 ? width : image.RowStride;
        var chromaStride = image.RowStride == 0 ? (isPairs ? 2 * half : half) : isPairs ? stride : (stride + 1) / 2;
        var (kr, kb) = image.YuvMatrix == YuvMatrix.Bt601 ? (0.299, 0.114) : (0.2126, 0.0722);
        var isFull = image.YuvRange == YuvRange.Full;
        var rgb = new byte[width * height * 3];
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var chroma = (height * stride) + (y / 2 * chromaStride);
                var data = image.Data.Span;
                double cb = isPairs ? data[chroma + (x / 2 * 2)] : data[chroma + (x / 2)];
                double cr = isPairs ? data[chroma + (x / 2 * 2) + 1] : data[chroma + (rows * chromaStride) + (x / 2)];
                double luma = data[(y * stride) + x];
                var (l, u, v) = isFull
                    ? (luma / 255, (cb - 128) / 255, (cr - 128) / 255)
                    : ((luma - 16) / 219, (cb - 128) / 224, (cr - 128) / 224);
                var r = l + (2 * (1 - kr) * v);
                var b = l + (2 * (1 - kb) * u);
                var g = (l - (kr * r) - (kb * b)) / (1 - kr - kb);
                var at = ((y * width) + x) * 3;
                (rgb[at], rgb[at + 1], rgb[at + 2]) = (Level(r), Level(g), Level(b));
            }
        }
        return rgb;

        static byte Level(double value) => (byte)Math.Clamp(Math.Round(value * 255), 0, 255);
    }
}
