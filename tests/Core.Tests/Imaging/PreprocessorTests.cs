using Embeddings.Core.Imaging;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Imaging;

public sealed class PreprocessorTests
{
    private static readonly Landmarks Face = new(new(40, 50), new(70, 50), new(56, 70), new(42, 90), new(70, 91));

    private readonly Preprocessor _preprocessor = new(new ImagingOptions { MaxSide = 500, MaxPixels = 100_000 });

    public static TheoryData<int, int, int, int, bool, string, string> Refused => new()
    {
        { (int)PixelFormat.Encoded, 0, 0, 0, false, Reasons.ImageEmpty, "image.encoded" },
        { (int)PixelFormat.Encoded, 100, 0, 0, false, Reasons.ImageFormatUnknown, "image.encoded" },
        { 77, 100, 5, 5, false, Reasons.PixelFormatInvalid, "image.pixels.format" },
        { (int)PixelFormat.Rgb8, 0, 5, 5, false, Reasons.ImageEmpty, "image.pixels.data" },
        { (int)PixelFormat.Rgb8, 75, 0, 5, false, Reasons.PixelSizeMismatch, "image.pixels.width" },
        { (int)PixelFormat.Rgb8, 75, 5, -5, false, Reasons.PixelSizeMismatch, "image.pixels.height" },
        { (int)PixelFormat.Rgb8, 75, -5, -5, false, Reasons.PixelSizeMismatch, "image.pixels.width" },
        { (int)PixelFormat.Rgb8, 75, 501, 1, false, Reasons.ImageTooLarge, "image.pixels.width" },
        { (int)PixelFormat.Rgb8, 75, 1, 501, false, Reasons.ImageTooLarge, "image.pixels.height" },
        { (int)PixelFormat.Rgb8, 75, int.MaxValue, int.MaxValue, false, Reasons.ImageTooLarge, "image.pixels.width" },
        { (int)PixelFormat.Bgr8, 75, 400, 400, false, Reasons.ImageTooLarge, "image.pixels.data" },
        { (int)PixelFormat.Bgr8, 74, 5, 5, false, Reasons.PixelSizeMismatch, "image.pixels.data" },
        { (int)PixelFormat.Gray8, 75, 5, 5, false, Reasons.PixelSizeMismatch, "image.pixels.data" },
        { (int)PixelFormat.RgbF32, 300, 5, 5, false, Reasons.PixelSizeMismatch, "image.pixels.width" },
        { (int)PixelFormat.BgrF32, 112 * 5 * 12, 112, 5, false, Reasons.PixelSizeMismatch, "image.pixels.height" },
        { (int)PixelFormat.RgbF32, 112 * 112 * 12, 112, 112, true, Reasons.LandmarksInvalid, "landmarks" },
    };

    public static TheoryData<int, int, int, int, int, int, int, string, string> RefusedLayouts => new()
    {
        // format, bytes, width, height, stride, matrix, range
        { (int)PixelFormat.Rgba8, 75, 5, 5, 0, 0, 0, Reasons.PixelSizeMismatch, "image.pixels.data" },
        { (int)PixelFormat.Bgra8, 101, 5, 5, 0, 0, 0, Reasons.PixelSizeMismatch, "image.pixels.data" },
        { (int)PixelFormat.Nv12, 24, 4, 4, 0, 0, 1, Reasons.PixelFormatInvalid, "image.pixels.yuv_matrix" },
        { (int)PixelFormat.Nv12, 24, 4, 4, 0, 3, 1, Reasons.PixelFormatInvalid, "image.pixels.yuv_matrix" },
        { (int)PixelFormat.I420, 24, 4, 4, 0, -1, 1, Reasons.PixelFormatInvalid, "image.pixels.yuv_matrix" },
        { (int)PixelFormat.I420, 24, 4, 4, 0, 1, 0, Reasons.PixelFormatInvalid, "image.pixels.yuv_range" },
        { (int)PixelFormat.I420, 24, 4, 4, 0, 1, 3, Reasons.PixelFormatInvalid, "image.pixels.yuv_range" },
        { (int)PixelFormat.Rgb8, 48, 4, 4, 0, 1, 0, Reasons.PixelFormatInvalid, "image.pixels.yuv_matrix" },
        { (int)PixelFormat.RgbF32, 192, 4, 4, 0, 0, 1, Reasons.PixelFormatInvalid, "image.pixels.yuv_range" },
        { (int)PixelFormat.Nv12, 23, 4, 4, 0, 1, 1, Reasons.PixelSizeMismatch, "image.pixels.data" },
        { (int)PixelFormat.Nv12, 25, 4, 4, 0, 1, 1, Reasons.PixelSizeMismatch, "image.pixels.data" },
        { (int)PixelFormat.I420, 25 + 17, 5, 5, 0, 2, 2, Reasons.PixelSizeMismatch, "image.pixels.data" },
        { (int)PixelFormat.I420, 25 + 19, 5, 5, 0, 2, 2, Reasons.PixelSizeMismatch, "image.pixels.data" },
        { (int)PixelFormat.Rgb8, 48, 4, 4, 11, 0, 0, Reasons.PixelSizeMismatch, "image.pixels.row_stride" },
        { (int)PixelFormat.Rgb8, 48, 4, 4, -12, 0, 0, Reasons.PixelSizeMismatch, "image.pixels.row_stride" },
        { (int)PixelFormat.Gray8, 48, 4, 4, int.MinValue, 0, 0, Reasons.PixelSizeMismatch, "image.pixels.row_stride" },
        { (int)PixelFormat.Gray8, 48, 4, 4, int.MaxValue, 0, 0, Reasons.PixelSizeMismatch, "image.pixels.row_stride" },
        { (int)PixelFormat.Gray8, 48, 4, 4, 1_048_577, 0, 0, Reasons.PixelSizeMismatch, "image.pixels.row_stride" },
        { (int)PixelFormat.Gray8, 48, 4, 4, 1_048_576, 0, 0, Reasons.PixelSizeMismatch, "image.pixels.data" },
        { (int)PixelFormat.Gray8, 48, 4, 300, 1_048_576, 0, 0, Reasons.PixelSizeMismatch, "image.pixels.data" },
        { (int)PixelFormat.RgbF32, 112 * 112 * 12, 112, 112, 1343, 0, 0, Reasons.PixelSizeMismatch, "image.pixels.row_stride" },
        // A row of chroma of an odd width is a byte longer than one of luma.
        { (int)PixelFormat.Nv12, 25 + 18, 5, 5, 5, 1, 1, Reasons.PixelSizeMismatch, "image.pixels.row_stride" },
        // The padding of the last row may be left out, but nothing more.
        { (int)PixelFormat.Rgb8, (3 * 20) + 11, 4, 4, 20, 0, 0, Reasons.PixelSizeMismatch, "image.pixels.data" },
        { (int)PixelFormat.Rgb8, (4 * 20) + 1, 4, 4, 20, 0, 0, Reasons.PixelSizeMismatch, "image.pixels.data" },
        { (int)PixelFormat.Nv12, (5 * 20) + 3, 4, 4, 20, 1, 1, Reasons.PixelSizeMismatch, "image.pixels.data" },
        { (int)PixelFormat.I420, (4 * 20) + (3 * 10) + 1, 4, 4, 20, 1, 1, Reasons.PixelSizeMismatch, "image.pixels.data" },
    };

    [Theory]
    [MemberData(nameof(RefusedLayouts))]
    public void Bad_layouts_are_refused_by_field(
        int format, int bytes, int width, int height, int stride, int matrix, int range, string reason, string field)
    {
        var image = new ImageInput(new byte[bytes], (PixelFormat)format, width, height)
        {
            RowStride = stride,
            YuvMatrix = (YuvMatrix)matrix,
            YuvRange = (YuvRange)range,
        };
        foreach (var act in new Action[] { () => _preprocessor.Validate(image, TestImages.Spec(112, 112)), () => _preprocessor.Prepare(image, TestImages.Spec(112, 112)) })
        {
            var fault = Assert.Throws<Fault>(act);
            Assert.Equal((FaultKind.InvalidArgument, reason, field), (fault.Kind, fault.Reason, fault.Field));
        }
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void Bad_input_is_refused_by_field(int format, int bytes, int width, int height, bool face, string reason, string field)
    {
        var image = new ImageInput(new byte[bytes], (PixelFormat)format, width, height, face ? Face : null);
        foreach (var act in new Action[] { () => _preprocessor.Validate(image, TestImages.Spec(112, 112)), () => _preprocessor.Prepare(image, TestImages.Spec(112, 112)) })
        {
            var fault = Assert.Throws<Fault>(act);
            Assert.Equal((FaultKind.InvalidArgument, reason, field), (fault.Kind, fault.Reason, fault.Field));
        }
    }

    [Theory]
    [InlineData((int)PixelFormat.Rgb8, 3)]
    [InlineData((int)PixelFormat.Bgr8, 3)]
    [InlineData((int)PixelFormat.Gray8, 1)]
    [InlineData((int)PixelFormat.RgbF32, 12)]
    public void Pixels_of_the_models_size_are_immediate_and_not_copied(int format, int bytes)
    {
        var data = new byte[20 * 10 * bytes];
        var image = new ImageInput(data, (PixelFormat)format, 20, 10, null);
        var spec = TestImages.Spec(20, 10, ResizeMode.CenterCrop) with { ResizeTo = 30 };
        Assert.True(_preprocessor.IsImmediate(image, spec));
        using var prepared = _preprocessor.Prepare(image, spec);
        data.AsSpan().Fill(1);
        var tensor = new float[600];
        prepared.WriteTo(tensor, spec);
        Assert.DoesNotContain(0f, tensor);
    }

    [Fact]
    public void Nothing_else_is_immediate()
    {
        var spec = TestImages.Spec(112, 112);
        Assert.False(_preprocessor.IsImmediate(TestImages.File(new byte[9]), spec));
        Assert.False(_preprocessor.IsImmediate(new ImageInput(new byte[112 * 112], PixelFormat.Gray8, 112, 112, Face), spec));
        Assert.False(_preprocessor.IsImmediate(new ImageInput(new byte[112 * 111], PixelFormat.Gray8, 112, 111, null), spec));
    }

    [Theory]
    [InlineData((int)ResizeMode.Stretch)]
    [InlineData((int)ResizeMode.CenterCrop)]
    [InlineData((int)ResizeMode.Letterbox)]
    public void Raw_pixels_are_treated_as_a_decoded_image(int mode)
    {
        foreach (var landmarks in new[] { null, Face })
        {
            var spec = TestImages.Spec(64, 48, (ResizeMode)mode, Interpolation.Bicubic);
            var pixels = TestImages.Smooth(150, 120);
            byte[] bgr = [.. pixels.Select((_, i) => pixels[i + 2 - i % 3 * 2])];
            var expected = TestImages.Rgb(TestImages.File(TestImages.Encode(pixels, 150, 120, 3, ".png"), landmarks), spec);
            Assert.Equal(expected, TestImages.Rgb(new ImageInput(pixels, PixelFormat.Rgb8, 150, 120, landmarks), spec));
            Assert.Equal(expected, TestImages.Rgb(new ImageInput(bgr, PixelFormat.Bgr8, 150, 120, landmarks), spec));
            var gray = TestImages.Smooth(150, 120, 1);
            Assert.Equal(
                TestImages.Rgb(TestImages.File(TestImages.Encode(gray, 150, 120, 1, ".png"), landmarks), spec),
                TestImages.Rgb(new ImageInput(gray, PixelFormat.Gray8, 150, 120, landmarks), spec));
        }
    }

    [Fact]
    public void Many_at_once_give_what_one_gives()
    {
        var file = TestImages.File(TestImages.Encode(TestImages.Smooth(300, 200), 300, 200, 3, ".jpg"));
        var expected = TestImages.Rgb(file, TestImages.Spec(112, 112));
        Parallel.For(0, 200, _ => Assert.Equal(expected, TestImages.Rgb(file, TestImages.Spec(112, 112))));
    }

    [Fact]
    public void Disposing_twice_gives_the_memory_back_once()
    {
        var prepared = _preprocessor.Prepare(new ImageInput(new byte[300], PixelFormat.Rgb8, 10, 10, null), TestImages.Spec(31, 31));
        prepared.Dispose();
        prepared.Dispose();
        var (a, b) = (System.Buffers.ArrayPool<byte>.Shared.Rent(31 * 31 * 3), System.Buffers.ArrayPool<byte>.Shared.Rent(31 * 31 * 3));
        Assert.NotSame(a, b);
    }
}
