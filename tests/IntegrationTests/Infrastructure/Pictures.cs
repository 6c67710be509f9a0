using System.Buffers.Binary;
using Embeddings.V1;
using Google.Protobuf;
using Vips = NetVips;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>Generated images: the same seed gives the same image, another seed a different one.</summary>
internal static class Pictures
{
    public const int CropSide = 112;

    /// <summary>RGB bytes: a gradient with rectangles and a little noise.</summary>
    public static byte[] Draw(int seed, int width, int height)
    {
        var random = new Random(seed);
        var pixels = new byte[width * height * 3];
        var (dx, dy) = (random.NextDouble(), random.NextDouble());
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var at = ((y * width) + x) * 3;
                var light = 40 + (120 * ((dx * x / width) + (dy * y / height)));
                pixels[at] = (byte)light;
                pixels[at + 1] = (byte)(light * 0.8);
                pixels[at + 2] = (byte)(200 - light / 2);
            }
        }
        for (var i = 0; i < 12; i++)
        {
            Fill(pixels, width, random.Next(width), random.Next(height), random.Next(1, width / 2), random.Next(1, height / 2), random);
        }
        return pixels;
    }

    public static byte[] Jpeg(int seed, int width = 320, int height = 240)
    {
        using var image = Vips.Image.NewFromMemory(Draw(seed, width, height), width, height, 3, Vips.Enums.BandFormat.Uchar);
        using var tagged = image.Copy(interpretation: Vips.Enums.Interpretation.Srgb);
        return tagged.JpegsaveBuffer(q: 92);
    }

    public static byte[] Png(int seed, int width = 320, int height = 240)
    {
        using var image = Vips.Image.NewFromMemory(Draw(seed, width, height), width, height, 3, Vips.Enums.BandFormat.Uchar);
        using var tagged = image.Copy(interpretation: Vips.Enums.Interpretation.Srgb);
        return tagged.PngsaveBuffer();
    }

    public static Image Encoded(byte[] file) => new() { Encoded = ByteString.CopyFrom(file) };

    public static Image Photo(int seed) => Encoded(Jpeg(seed));

    public static Image Pixels(PixelFormat format, int width, int height, byte[] data) =>
        new() { Pixels = new() { Width = width, Height = height, Format = format, Data = ByteString.CopyFrom(data) } };

    /// <summary>A raw face crop with the input size of the test model.</summary>
    public static FaceCrop Crop(int seed) => new() { Image = Pixels(PixelFormat.Rgb8, CropSide, CropSide, Draw(seed, CropSide, CropSide)) };

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

    private static void Fill(byte[] pixels, int stride, int left, int top, int width, int height, Random random)
    {
        Span<byte> color = [(byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256)];
        for (var y = top; y < Math.Min(top + height, pixels.Length / 3 / stride); y++)
        {
            for (var x = left; x < Math.Min(left + width, stride); x++)
            {
                color.CopyTo(pixels.AsSpan(((y * stride) + x) * 3));
            }
        }
    }
}
