using Embeddings.Core.Models;
using Embeddings.Primitives;

namespace Embeddings.Core.Imaging;

/// <summary>What can be refused without looking at a pixel.</summary>
internal static class ImageRules
{
    /// <summary>Throws a fault that names the field, and the limit where there is one.</summary>
    public static void Check(in ImageInput image, InputSpec spec, ImagingOptions options)
    {
        if (image.Format == PixelFormat.Encoded)
        {
            CheckFile(image.Data, options);
        }
        else
        {
            CheckPixels(image, spec, options);
        }
        if (image.Landmarks is { } landmarks)
        {
            LandmarkRules.Check(landmarks);
            if (image.Format != PixelFormat.Encoded)
            {
                LandmarkRules.CheckWithin(landmarks, image.Width, image.Height);
            }
        }
    }

    private static void CheckFile(ReadOnlyMemory<byte> data, ImagingOptions options)
    {
        if (data.IsEmpty)
        {
            throw Fault.Invalid(Reasons.ImageEmpty, ImageFaults.Encoded, "The image has no bytes.");
        }
        if (data.Length > options.MaxEncodedBytes)
        {
            throw ImageFaults.TooLarge(
                ImageFaults.Encoded, $"The file has {ImageFaults.Text(data.Length)} bytes; the limit is {ImageFaults.Text(options.MaxEncodedBytes)}.");
        }
        if (ImageSniffer.Sniff(data.Span) == FileFormat.Unknown)
        {
            throw ImageFaults.UnknownFormat();
        }
    }

    private static void CheckPixels(in ImageInput image, InputSpec spec, ImagingOptions options)
    {
        var bytes = image.Format switch
        {
            PixelFormat.Rgb8 or PixelFormat.Bgr8 => 3,
            PixelFormat.Gray8 => 1,
            PixelFormat.RgbF32 or PixelFormat.BgrF32 => 3 * sizeof(float),
            _ => throw Fault.Invalid(Reasons.PixelFormatInvalid, ImageFaults.Format, "The pixel format is none of RGB8, BGR8, GRAY8, RGB_F32 and BGR_F32."),
        };
        if (image.Width <= 0 || image.Height <= 0)
        {
            throw Fault.Invalid(
                Reasons.PixelSizeMismatch, image.Width <= 0 ? ImageFaults.Width : ImageFaults.Height, "A picture is at least 1 x 1 pixels.");
        }
        ImageFaults.CheckSize(image.Width, image.Height, options, ImageFaults.Data);
        if (image.Data.IsEmpty)
        {
            throw Fault.Invalid(Reasons.ImageEmpty, ImageFaults.Data, "The image has no bytes.");
        }
        var expected = (long)image.Width * image.Height * bytes;
        if (image.Data.Length != expected)
        {
            var want = $"{image.Width} x {image.Height} pixels of {bytes} bytes are {ImageFaults.Text(expected)} bytes";
            throw Fault.Invalid(Reasons.PixelSizeMismatch, ImageFaults.Data, $"{want}; there are {ImageFaults.Text(image.Data.Length)}.");
        }
        if (bytes == 3 * sizeof(float))
        {
            CheckFloats(image, spec);
        }
    }

    private static void CheckFloats(in ImageInput image, InputSpec spec)
    {
        if (image.Landmarks is not null)
        {
            throw ImageFaults.BadLandmarks("Float pixels are the model's input as it is; they are not aligned and take no landmarks.");
        }
        if (image.Width != spec.Width || image.Height != spec.Height)
        {
            var field = image.Width != spec.Width ? ImageFaults.Width : ImageFaults.Height;
            var want = $"Float pixels must have the model's size, {spec.Width} x {spec.Height}";
            throw Fault.Invalid(Reasons.PixelSizeMismatch, field, $"{want}; these have {image.Width} x {image.Height}.");
        }
    }
}
