using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Google.Protobuf;

namespace Embeddings.IntegrationTests;

/// <summary>Frames of cameras and video decoders have the vectors of the RGB that they stand for.</summary>
[Collection(SharedServer.Name)]
public sealed class PixelFormatTests(ServerFixture server)
{
    private const int Width = 321;
    private const int Height = 241;

    [Theory]
    [InlineData(PixelFormat.Rgba8)]
    [InlineData(PixelFormat.Bgra8)]
    [InlineData(PixelFormat.Nv12)]
    [InlineData(PixelFormat.I420)]
    public async Task A_frame_has_the_vector_of_its_rgb(PixelFormat format)
    {
        foreach (var stride in new[] { 0, Width * 5 })
        {
            foreach (var landmarks in new[] { null, TestImages.Landmarks(1.5f, 60, 40) })
            {
                var (frame, rgb) = Frame(format, stride);
                var expected = await EmbedAsync(TestImages.Pixels(PixelFormat.Rgb8, Width, Height, rgb), landmarks);
                var actual = await EmbedAsync(frame, landmarks);
                Assert.InRange(expected.Zip(actual, (a, b) => (double)a * b).Sum(), 0.9999, 1.0001);
            }
        }
    }

    [Fact]
    public async Task A_crop_of_the_models_size_may_have_any_format_and_stride()
    {
        var gray = new byte[112 * 112];
        gray.AsSpan().Fill(90);
        var expected = await EmbedAsync(TestImages.Pixels(PixelFormat.Gray8, 112, 112, gray), null);
        byte[] rgba = [.. gray.SelectMany(value => (byte[])[value, value, value, 255])];
        byte[] nv12 = [.. gray, .. Enumerable.Repeat((byte)128, 112 * 56)];
        byte[] padded = [.. gray.Chunk(112).SelectMany(row => (byte[])[.. row, 0, 255, 7])];
        Image[] crops =
        [
            TestImages.Pixels(PixelFormat.Rgba8, 112, 112, rgba),
            new() { Pixels = new() { Width = 112, Height = 112, Format = PixelFormat.Nv12, Data = ByteString.CopyFrom(nv12), YuvMatrix = YuvMatrix.Bt709, YuvRange = YuvRange.Full } },
            new() { Pixels = new() { Width = 112, Height = 112, Format = PixelFormat.Gray8, Data = ByteString.CopyFrom(padded[..^3]), RowStride = 115 } },
        ];
        var answers = await server.Api.Embedding.StreamEmbed().ExchangeAsync(crops.Select((crop, i) => Items.EmbedFace($"{i}", new() { Image = crop })));
        Assert.All(answers, answer => Assert.InRange(Items.Distance(expected, answer.Embedding.Values), 0, 1e-6));
    }

    [TrainedModelsFact]
    public async Task The_faces_of_a_frame_are_those_of_its_rgb()
    {
        await using var trained = await TestServer.StartPlainAsync();
        var file = await File.ReadAllBytesAsync(Path.Combine(Repository.Root, "clients", "testdata", "two-faces.jpg"));
        var rgb = TestImages.Decode(file, 480, 240);
        var expected = await FacesAsync(new() { Width = 480, Height = 240, Format = PixelFormat.Rgb8, Data = ByteString.CopyFrom(rgb) });
        Assert.Equal(2, expected.Count);

        // The same pixels in another layout, with padding, and nearly the same as luma and chroma.
        var padded = ByteString.CopyFrom([.. rgb.Chunk(480 * 3).SelectMany(row => row.Chunk(3).SelectMany(p => (byte[])[p[2], p[1], p[0], 255]).Concat(new byte[5]))]);
        var bgra = await FacesAsync(new() { Width = 480, Height = 240, Format = PixelFormat.Bgra8, RowStride = (480 * 4) + 5, Data = padded });
        Assert.Equal(expected.Select(face => face.Face.Bbox), bgra.Select(face => face.Face.Bbox));
        Assert.All(expected.Zip(bgra), pair => Assert.Equal(pair.First.Embedding.Values, pair.Second.Embedding.Values));
        var nv12 = await FacesAsync(new()
        {
            Width = 480,
            Height = 240,
            Format = PixelFormat.Nv12,
            YuvMatrix = YuvMatrix.Bt601,
            YuvRange = YuvRange.Full,
            Data = ByteString.CopyFrom(Nv12(rgb, 480, 240)),
        });
        Assert.All(expected.Zip(nv12), pair => Assert.InRange(pair.First.Embedding.Values.Zip(pair.Second.Embedding.Values, (a, b) => (double)a * b).Sum(), 0.95, 1.0001));

        async Task<IReadOnlyList<EmbeddedFace>> FacesAsync(PixelBuffer pixels) =>
            (await trained.Api.Faces.EmbedFacesAsync(new() { Photo = new() { Pixels = pixels } }).Bound()).Faces;
    }

    // BT.601, full range; the chroma of 2 x 2 pixels is that of the first.
    private static byte[] Nv12(byte[] rgb, int width, int height)
    {
        var data = new byte[width * height * 3 / 2];
        for (var i = 0; i < width * height; i++)
        {
            var (r, g, b) = (rgb[i * 3], rgb[(i * 3) + 1], rgb[(i * 3) + 2]);
            var luma = (0.299 * r) + (0.587 * g) + (0.114 * b);
            data[i] = (byte)Math.Round(luma);
            var (x, y) = (i % width, i / width);
            if (x % 2 == 0 && y % 2 == 0)
            {
                var at = (width * height) + (y / 2 * width) + x;
                data[at] = (byte)Math.Clamp(Math.Round(128 + ((b - luma) / 1.772)), 0, 255);
                data[at + 1] = (byte)Math.Clamp(Math.Round(128 + ((r - luma) / 1.402)), 0, 255);
            }
        }
        return data;
    }

    // Gray in all formats, so that the RGB is known without a formula; the formulas are tested where they are.
    private static (Image Frame, byte[] Rgb) Frame(PixelFormat format, int stride)
    {
        var gray = TestImages.Smooth(Width, Height, 1);
        var rgb = gray.SelectMany(value => (byte[])[value, value, value]).ToArray();
        var pixels = new PixelBuffer { Width = Width, Height = Height, Format = format, RowStride = stride };
        if (format is PixelFormat.Rgba8 or PixelFormat.Bgra8)
        {
            pixels.Data = Rows(gray.SelectMany(value => (byte[])[value, value, value, 255]).Chunk(Width * 4), stride);
        }
        else
        {
            pixels.YuvMatrix = YuvMatrix.Bt709;
            pixels.YuvRange = YuvRange.Full;
            var half = (Width + 1) / 2;
            var isPairs = format == PixelFormat.Nv12;
            var chroma = Enumerable.Repeat(0, (Height + 1) / 2 * (isPairs ? 1 : 2)).Select(_ => Enumerable.Repeat((byte)128, isPairs ? 2 * half : half).ToArray());
            pixels.Data = ByteString.CopyFrom([.. Rows(gray.Chunk(Width), stride), .. Rows(chroma, isPairs ? stride : (stride + 1) / 2)]);
        }
        return (new() { Pixels = pixels }, rgb);
    }

    private static ByteString Rows(IEnumerable<byte[]> rows, int stride) =>
        ByteString.CopyFrom([.. rows.SelectMany(row => row.Concat(new byte[Math.Max(stride - row.Length, 0)]))]);

    private async Task<IReadOnlyList<float>> EmbedAsync(Image image, FaceLandmarks? landmarks)
    {
        var face = new FaceCrop { Image = image, Landmarks = landmarks, Aligned = landmarks is null };
        return (await server.Api.Embedding.EmbedFaceAsync(new() { Face = face }).Bound()).Embedding.Values;
    }
}
