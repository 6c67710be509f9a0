using Embeddings.Core.Imaging;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing;
using NetVips;

namespace Embeddings.Core.Tests.Imaging;

/// <summary>Images drawn by formulas, and helpers to encode, prepare and compare them.</summary>
internal static class Pictures
{
    /// <summary>Busy pixels: (37 x + 59 y + 83 c + 11 x y) mod 256, interleaved.</summary>
    public static byte[] Busy(int width, int height, int channels = 3)
    {
        var pixels = new byte[width * height * channels];
        for (var i = 0; i < pixels.Length; i++)
        {
            var (x, y, c) = (i / channels % width, i / channels / width, i % channels);
            pixels[i] = (byte)(x * 37 + y * 59 + c * 83 + x * y * 11);
        }
        return pixels;
    }

    /// <summary>Pixels as smooth as a photograph, which lossy formats keep.</summary>
    public static byte[] Smooth(int width, int height, int channels = 3)
    {
        var pixels = new byte[width * height * channels];
        for (var i = 0; i < pixels.Length; i++)
        {
            var (x, y, c) = (i / channels % width / (double)width, i / channels / width / (double)height, i % channels);
            pixels[i] = (byte)(127.5 + 70 * Math.Sin(7 * x + 2 * y + c) + 50 * Math.Cos(5 * y - 3 * x * y + 2 * c));
        }
        return pixels;
    }

    /// <summary>An encoded file of raw pixels: <paramref name="suffix"/> is libvips' <c>.png[compression=9]</c> and the like.</summary>
    public static byte[] Encode(byte[] pixels, int width, int height, int channels, string suffix)
    {
        Vips.EnsureStarted();
        Operation.Block("VipsForeignSaveHeif", false);
        using var raw = Image.NewFromMemoryCopy<byte>(pixels, width, height, channels, Enums.BandFormat.Uchar);
        using var image = raw.Copy(interpretation: channels < 3 ? Enums.Interpretation.Bw : Enums.Interpretation.Srgb);
        return image.WriteToBuffer(suffix);
    }

    public static ImageInput File(byte[] data, Landmarks? landmarks = null) => new(data, PixelFormat.Encoded, 0, 0, landmarks);

    public static InputSpec Spec(int width, int height, ResizeMode resize = ResizeMode.Stretch, Interpolation interpolation = Interpolation.Bilinear) =>
        new() { Width = width, Height = height, Resize = resize, Interpolation = interpolation };

    /// <summary>Prepares and lays out, and gives the tensor back as interleaved RGB (for a spec of mean 0 and std 1).</summary>
    public static byte[] Rgb(in ImageInput image, InputSpec spec, ImagingOptions? options = null)
    {
        using var prepared = new Preprocessor(options ?? new ImagingOptions()).Prepare(image, spec);
        var tensor = new float[spec.TensorLength];
        prepared.WriteTo(tensor, spec);
        var plane = tensor.Length / 3;
        return [.. Enumerable.Range(0, tensor.Length).Select(i => (byte)tensor[i % 3 * plane + i / 3])];
    }

    /// <summary>The file's pixels at the size it has.</summary>
    public static byte[] Decode(byte[] file, int width, int height) => Rgb(File(file), Spec(width, height));

    public static double MeanDifference(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        Assert.Equal(a.Length, b.Length);
        double sum = 0;
        for (var i = 0; i < a.Length; i++)
        {
            sum += Math.Abs(a[i] - b[i]);
        }
        return sum / a.Length;
    }
}
