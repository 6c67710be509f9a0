using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>Images that cannot be embedded: the same error in a unary call and in a stream, with the field.</summary>
[Collection(SharedServer.Name)]
public sealed class BadPictureTests(ServerFixture server)
{
    private static readonly Dictionary<string, (Image? Image, string Reason, string Field)> Bad = new()
    {
        ["none"] = (null, "FIELD_REQUIRED", "image"),
        ["no source"] = (new(), "FIELD_REQUIRED", "image"),
        ["empty file"] = (TestImages.Encoded([]), "IMAGE_EMPTY", "image.encoded"),
        ["text"] = (TestImages.Encoded("hello, this is not a picture"u8.ToArray()), "IMAGE_FORMAT_UNKNOWN", "image.encoded"),
        ["cut off"] = (TestImages.Encoded(TestImages.Jpeg(1)[..500]), "IMAGE_MALFORMED", "image.encoded"),
        ["cut off before its end"] = (TestImages.Encoded(WithoutMiddle(TestImages.Jpeg(1))), "IMAGE_MALFORMED", "image.encoded"),
        ["damaged"] = (TestImages.Encoded([.. TestImages.Png(1).Take(60), .. new byte[1000]]), "IMAGE_MALFORMED", "image.encoded"),
        ["bomb"] = (TestImages.Encoded(Bomb()), "IMAGE_TOO_LARGE", "image.encoded"),
        ["too large a file"] = (TestImages.Encoded([.. TestImages.Jpeg(1), .. new byte[16 << 20]]), "IMAGE_TOO_LARGE", "image.encoded"),
        ["no format"] = (TestImages.Pixels(PixelFormat.Unspecified, 2, 2, new byte[12]), "PIXEL_FORMAT_INVALID", "image.pixels.format"),
        ["unknown format"] = (TestImages.Pixels((PixelFormat)77, 2, 2, new byte[12]), "PIXEL_FORMAT_INVALID", "image.pixels.format"),
        ["short data"] = (TestImages.Pixels(PixelFormat.Rgb8, 2, 2, new byte[11]), "PIXEL_SIZE_MISMATCH", "image.pixels.data"),
        ["long data"] = (TestImages.Pixels(PixelFormat.Gray8, 2, 2, new byte[5]), "PIXEL_SIZE_MISMATCH", "image.pixels.data"),
        ["no data"] = (TestImages.Pixels(PixelFormat.Gray8, 2, 2, []), "IMAGE_EMPTY", "image.pixels.data"),
        ["no width"] = (TestImages.Pixels(PixelFormat.Rgb8, 0, 2, new byte[12]), "PIXEL_SIZE_MISMATCH", "image.pixels.width"),
        ["negative height"] = (TestImages.Pixels(PixelFormat.Rgb8, 2, -2, new byte[12]), "PIXEL_SIZE_MISMATCH", "image.pixels.height"),
        ["overflowing"] = (TestImages.Pixels(PixelFormat.RgbF32, int.MaxValue, int.MaxValue, new byte[12]), "IMAGE_TOO_LARGE", "image.pixels.width"),
        ["a negative stride"] = (Layout(PixelFormat.Rgb8, 12, stride: -6), "PIXEL_SIZE_MISMATCH", "image.pixels.row_stride"),
        ["a stride shorter than a row"] = (Layout(PixelFormat.Rgba8, 16, stride: 7), "PIXEL_SIZE_MISMATCH", "image.pixels.row_stride"),
        ["a stride above the limit"] = (Layout(PixelFormat.Gray8, 16, stride: int.MaxValue), "PIXEL_SIZE_MISMATCH", "image.pixels.row_stride"),
        ["less data than the stride"] = (Layout(PixelFormat.Bgr8, 13, stride: 8), "PIXEL_SIZE_MISMATCH", "image.pixels.data"),
        ["no matrix"] = (Layout(PixelFormat.Nv12, 6, range: YuvRange.Full), "PIXEL_FORMAT_INVALID", "image.pixels.yuv_matrix"),
        ["no range"] = (Layout(PixelFormat.I420, 6, YuvMatrix.Bt709), "PIXEL_FORMAT_INVALID", "image.pixels.yuv_range"),
        ["an unknown range"] = (Layout(PixelFormat.I420, 6, YuvMatrix.Bt709, (YuvRange)9), "PIXEL_FORMAT_INVALID", "image.pixels.yuv_range"),
        ["a matrix of RGB"] = (Layout(PixelFormat.Rgb8, 12, YuvMatrix.Bt601), "PIXEL_FORMAT_INVALID", "image.pixels.yuv_matrix"),
        ["luma alone"] = (Layout(PixelFormat.Nv12, 4, YuvMatrix.Bt601, YuvRange.Full), "PIXEL_SIZE_MISMATCH", "image.pixels.data"),
        ["floats of another size"] = (TestImages.Pixels(PixelFormat.RgbF32, 2, 1, new byte[24]), "PIXEL_SIZE_MISMATCH", "image.pixels.width"),
    };

    public static TheoryData<string> Names() => [.. Bad.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task An_invalid_image_is_rejected_with_its_reason_and_field(string name)
    {
        var (image, reason, field) = Bad[name];
        var alone = await server.Api.Embedding.EmbedImageAsync(new() { Image = image }).FailsAsync(StatusCode.InvalidArgument, reason, field);
        var answers = await server.Api.Embedding.StreamEmbed().ExchangeAsync(
            [Items.EmbedFace("before", TestImages.Crop(1)), new() { ItemId = "bad", Face = new() { Image = image, Aligned = true } }, Items.EmbedFace("after", TestImages.Crop(2))]);
        Assert.NotNull(answers[0].Embedding);
        Assert.NotNull(answers[2].Embedding);
        Assert.Equal(("bad", (int)StatusCode.InvalidArgument, reason, $"face.{field}"), (answers[1].ItemId, answers[1].Error.Code, answers[1].Error.Reason, answers[1].Error.Field));
        Assert.NotEmpty(alone.Status.Detail);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public async Task An_item_with_pixels_that_are_not_finite_fails_alone(float value)
    {
        await server.Api.Embedding.EmbedFaceAsync(new() { Face = TestImages.FloatCrop(value) })
            .FailsAsync(StatusCode.InvalidArgument, "PIXELS_NOT_FINITE", "face.image.pixels.data");
        var requests = Enumerable.Range(0, 64).Select(i => Items.EmbedFace($"{i}", i == 31 ? TestImages.FloatCrop(value) : TestImages.Crop(i)));
        var answers = await server.Api.Embedding.StreamEmbed().ExchangeAsync(requests);
        var bad = Assert.Single(answers, answer => answer.Error is not null);
        Assert.Equal(("31", "PIXELS_NOT_FINITE"), (bad.ItemId, bad.Error.Reason));
        Assert.All(answers.Where(answer => answer != bad), answer => Assert.InRange(Items.Norm(answer.Embedding), 1 - 1e-6, 1 + 1e-6));
    }

    [Fact]
    public async Task Landmarks_must_be_complete_finite_and_not_degenerate()
    {
        var missing = TestImages.Landmarks();
        missing.Nose = null;
        await Fails(missing, "face.landmarks.nose");
        var infinite = TestImages.Landmarks();
        infinite.LeftEye.X = float.PositiveInfinity;
        await Fails(infinite, "face.landmarks");
        await Fails(TestImages.Landmarks(scale: 0), "face.landmarks");
        await Fails(TestImages.Landmarks(scale: 1e30f), "face.landmarks");

        async Task Fails(FaceLandmarks landmarks, string field)
        {
            var face = TestImages.Crop(1);
            face.Landmarks = landmarks;
            await server.Api.Embedding.EmbedFaceAsync(new() { Face = face }).FailsAsync(StatusCode.InvalidArgument, "LANDMARKS_INVALID", field);
        }
    }

    [Fact]
    public async Task A_face_is_required() =>
        await server.Api.Embedding.EmbedFaceAsync(new()).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "face");

    private static Image Layout(
        PixelFormat format, int length, YuvMatrix matrix = default, YuvRange range = default, int stride = 0) => new()
        {
            Pixels = new()
            {
                Width = 2,
                Height = 2,
                Format = format,
                Data = Google.Protobuf.ByteString.CopyFrom(new byte[length]),
                RowStride = stride,
                YuvMatrix = matrix,
                YuvRange = range,
            },
        };

    // Two thirds of a JPEG file and the marker of its end.
    private static byte[] WithoutMiddle(byte[] file) => [.. file[..(file.Length * 2 / 3)], 0xFF, 0xD9];

    /// <summary>A small PNG file whose header declares 60,000 x 60,000 pixels.</summary>
    private static byte[] Bomb()
    {
        var png = TestImages.Png(1, 8, 8);
        byte[] side = [0, 0, 0xEA, 0x60];
        side.CopyTo(png, 16);
        side.CopyTo(png, 20);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(png.AsSpan(29), Crc(png.AsSpan(12, 17)));
        return png;
    }

    private static uint Crc(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var value in data)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ (0xEDB88320 * (crc & 1));
            }
        }
        return ~crc;
    }
}
