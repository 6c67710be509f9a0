using System.Buffers.Binary;
using Embeddings.Core;
using Embeddings.Core.Imaging;
using Embeddings.Core.Models;
using Embeddings.V1;
using Google.Protobuf;
using NetVips;
using CorePixelFormat = Embeddings.Core.PixelFormat;
using Image = Embeddings.V1.Image;
using PixelFormat = Embeddings.V1.PixelFormat;
using ResizeMode = Embeddings.Core.Models.ResizeMode;

namespace Embeddings.Testing;

/// <summary>
/// Images drawn by code, the same in every run, and helpers to encode, send, prepare, and compare them. Raw pixels are
/// interleaved bytes.
/// </summary>
internal static class TestImages
{
    /// <summary>Width and height of a face crop of the test model.</summary>
    public const int CropSide = 112;

    /// <summary>Pixels that differ from their neighbors: (37 x + 59 y + 83 c + 11 x y) mod 256.</summary>
    public static byte[] Busy(int width, int height, int channels = 3) =>
        Formula(width, height, channels, (x, y, c) => (x * 37) + (y * 59) + (c * 83) + (x * y * 11));

    /// <summary>Pixels as smooth as a photograph, which lossy formats keep.</summary>
    public static byte[] Smooth(int width, int height, int channels = 3) => Formula(width, height, channels, (column, row, c) =>
    {
        var (x, y) = (column / (double)width, row / (double)height);
        return (int)(127.5 + (70 * Math.Sin((7 * x) + (2 * y) + c)) + (50 * Math.Cos((5 * y) - (3 * x * y) + (2 * c))));
    });

    /// <summary>Waves under grain: its JPEG is as large as that of a photograph, and as slow to decode.</summary>
    public static byte[] Scene(int width, int height, int seed)
    {
        var random = new Random(seed);
        var waves = Enumerable.Range(0, 9).Select(_ => random.NextDouble()).ToArray();
        return Formula(width, height, 3, (column, row, c) =>
        {
            var (x, y) = (column / (double)width, row / (double)height);
            var wave = Math.Sin((x * 20 * waves[c]) + (y * 30 * waves[3 + c]) + (6 * waves[6 + c]));
            return (int)(128 + (90 * wave) + random.Next(-12, 13));
        });
    }

    /// <summary>A gradient with rectangles. The same seed gives the same image, another seed a different one.</summary>
    public static byte[] Draw(int seed, int width, int height)
    {
        var random = new Random(seed);
        var (dx, dy) = (random.NextDouble(), random.NextDouble());
        var pixels = Formula(width, height, 3, (x, y, c) =>
        {
            var light = 40 + (120 * ((dx * x / width) + (dy * y / height)));
            return (int)(c switch
            {
                0 => light,
                1 => light * 0.8,
                _ => 200 - (light / 2),
            });
        });
        for (var i = 0; i < 12; i++)
        {
            var (left, top) = (random.Next(width), random.Next(height));
            var (right, bottom) = (left + random.Next(1, width / 2), top + random.Next(1, height / 2));
            Span<byte> color = [(byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256)];
            for (var y = top; y < Math.Min(bottom, height); y++)
            {
                for (var x = left; x < Math.Min(right, width); x++)
                {
                    color.CopyTo(pixels.AsSpan(((y * width) + x) * 3));
                }
            }
        }
        return pixels;
    }

    /// <summary>Encodes raw pixels.</summary>
    /// <param name="pixels">The pixels.</param>
    /// <param name="width">Width.</param>
    /// <param name="height">Height.</param>
    /// <param name="channels">Values per pixel.</param>
    /// <param name="suffix">Format and options of libvips, for example <c>.png[compression=9]</c>.</param>
    public static byte[] Encode(byte[] pixels, int width, int height, int channels, string suffix)
    {
        Vips.EnsureStarted();
        Operation.Block("VipsForeignSaveHeif", false);
        using var raw = NetVips.Image.NewFromMemoryCopy<byte>(pixels, width, height, channels, Enums.BandFormat.Uchar);
        using var image = raw.Copy(interpretation: channels < 3 ? Enums.Interpretation.Bw : Enums.Interpretation.Srgb);
        return image.WriteToBuffer(suffix);
    }

    public static byte[] Jpeg(int seed, int width = 320, int height = 240) =>
        Encode(Draw(seed, width, height), width, height, 3, ".jpg[Q=92]");

    public static byte[] Png(int seed, int width = 320, int height = 240) =>
        Encode(Draw(seed, width, height), width, height, 3, ".png");

    public static Image Encoded(byte[] file) => new() { Encoded = ByteString.CopyFrom(file) };

    public static Image Photo(int seed) => Encoded(Jpeg(seed));

    public static Image Pixels(PixelFormat format, int width, int height, byte[] data) =>
        new() { Pixels = new() { Width = width, Height = height, Format = format, Data = ByteString.CopyFrom(data) } };

    /// <summary>A raw face crop with the input size of the test model.</summary>
    public static FaceCrop Crop(int seed) =>
        new() { Image = Pixels(PixelFormat.Rgb8, CropSide, CropSide, Draw(seed, CropSide, CropSide)) };

    /// <summary>A face crop as floats that are all equal.</summary>
    public static FaceCrop FloatCrop(float value)
    {
        var data = new byte[CropSide * CropSide * 3 * sizeof(float)];
        for (var at = 0; at < data.Length; at += sizeof(float))
        {
            BinaryPrimitives.WriteSingleLittleEndian(data.AsSpan(at), value);
        }
        return new() { Image = Pixels(PixelFormat.RgbF32, CropSide, CropSide, data) };
    }

    /// <summary>The five points of the ArcFace template, moved and scaled: an upright face in an image.</summary>
    public static FaceLandmarks Landmarks(float scale = 1, float x = 0, float y = 0) => new()
    {
        LeftEye = new() { X = (38.2946f * scale) + x, Y = (51.6963f * scale) + y },
        RightEye = new() { X = (73.5318f * scale) + x, Y = (51.5014f * scale) + y },
        Nose = new() { X = (56.0252f * scale) + x, Y = (71.7366f * scale) + y },
        LeftMouthCorner = new() { X = (41.5493f * scale) + x, Y = (92.3655f * scale) + y },
        RightMouthCorner = new() { X = (70.7299f * scale) + x, Y = (92.2041f * scale) + y },
    };

    public static ImageInput File(byte[] data, Core.Landmarks? landmarks = null) =>
        new(data, CorePixelFormat.Encoded, 0, 0, landmarks);

    public static InputSpec Spec(
        int width,
        int height,
        ResizeMode resize = ResizeMode.Stretch,
        Interpolation interpolation = Interpolation.Bilinear) =>
        new() { Width = width, Height = height, Resize = resize, Interpolation = interpolation };

    /// <summary>Prepares an image and returns its tensor as interleaved RGB, for a spec of mean 0 and std 1.</summary>
    public static byte[] Rgb(in ImageInput image, InputSpec spec, ImagingOptions? options = null)
    {
        using var prepared = new Preprocessor(options ?? new ImagingOptions()).Prepare(image, spec);
        var tensor = new float[spec.TensorLength];
        prepared.WriteTo(tensor, spec);
        var plane = tensor.Length / 3;
        return [.. Enumerable.Range(0, tensor.Length).Select(i => (byte)tensor[(i % 3 * plane) + (i / 3)])];
    }

    /// <summary>Decodes a file at its own size.</summary>
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

    // Values are converted to bytes modulo 256.
    private static byte[] Formula(int width, int height, int channels, Func<int, int, int, int> value)
    {
        var pixels = new byte[width * height * channels];
        for (var i = 0; i < pixels.Length; i++)
        {
            pixels[i] = (byte)value(i / channels % width, i / channels / width, i % channels);
        }
        return pixels;
    }
}
