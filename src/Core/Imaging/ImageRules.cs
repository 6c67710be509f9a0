using System.Globalization;
using Embeddings.Core.Models;
using Embeddings.Primitives;

namespace Embeddings.Core.Imaging;

/// <summary>Checks that need no decoding. Faults name the field, and the limit if there is one.</summary>
internal static class ImageRules
{
    public const string Encoded = "image.encoded";
    public const string Data = "image.pixels.data";
    public const string Format = "image.pixels.format";

    private const string Width = "image.pixels.width";
    private const string Height = "image.pixels.height";
    private const string Stride = "image.pixels.row_stride";
    private const string Matrix = "image.pixels.yuv_matrix";
    private const string Range = "image.pixels.yuv_range";
    private const string LandmarksField = "landmarks";
    private const string Image = "image";

    // An image is taken for a photo, not for an aligned crop, if it is larger than a thumbnail and has another shape than
    // crops, or if it is larger than the crops of data sets, which have up to 1,024 pixels per side. A square photo of that
    // size cannot be told from a crop without decoding it. A crop of another shape would be stretched, which changes its
    // vector: on 29 photos, the equal error rate is 0 % with aligned crops, 11 % with the boxes of a detector, which are
    // higher than wide, and 15 % with whole photos.
    private const int MaxThumbnailSide = 128;
    private const int MaxCropSide = 1024;
    private const double MaxStretch = 1.05;

    // The limit of libvips for untrusted files.
    private const int MaxAvifItems = 256;

    // Capacity of one array of RGB bytes.
    private static readonly long MaxArrayPixels = Array.MaxLength / 3;

    /// <summary>Throws a fault if the image can be refused without decoding it.</summary>
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

    /// <summary>
    /// Checks sides and number of pixels against the limits. <paramref name="field"/> is the field of the file or of the
    /// pixels.
    /// </summary>
    public static void CheckSize(int width, int height, ImagingOptions options, string field)
    {
        if (width > options.MaxSide || height > options.MaxSide)
        {
            var side = field;
            if (field == Data)
            {
                side = width > options.MaxSide ? Width : Height;
            }
            throw TooLarge(side, $"The longest side must be at most {Text(options.MaxSide)} pixels; got {width} x {height}.");
        }
        var limit = Math.Min(options.MaxPixels, MaxArrayPixels);
        var pixels = (long)width * height;
        if (pixels > limit)
        {
            throw TooLarge(field, $"The image must have at most {Text(limit)} pixels; got {Text(pixels)} ({width} x {height}).");
        }
    }

    /// <summary>
    /// Throws a fault if a face without landmarks is plainly a whole photo. An image is taken for an aligned crop if it has at
    /// most 128 pixels per side, or at most 1,024 and, within 5 percent, the shape of a square or of the model's input.
    /// </summary>
    public static void CheckCropped(int width, int height, InputSpec spec)
    {
        var longer = Math.Max(width, height);
        var hasShape = IsStretchSmall(width, height, 1, 1) || IsStretchSmall(width, height, spec.Width, spec.Height);
        if (longer <= MaxThumbnailSide || (longer <= MaxCropSide && hasShape) || (width == spec.Width && height == spec.Height))
        {
            return;
        }
        throw Fault.Invalid(
            Reasons.FaceNotCropped,
            Image,
            $"The image of {width} x {height} pixels is taken for a whole photo, not for an aligned crop of a face: a crop has "
                + $"at most {MaxThumbnailSide} pixels per side, or at most {Text(MaxCropSide)} and is square within "
                + $"{(int)Math.Round((MaxStretch - 1) * 100)} percent. Send the landmarks of the face, or send the photo to "
                + "FaceService or IngestPhoto, which find its faces, or set `aligned` if it is an aligned crop.");
    }

    /// <summary>Checks the number of pixels of an image that is decoded as a whole.</summary>
    public static void CheckBuffered(FileFormat format, int width, int height, ImagingOptions options)
    {
        var pixels = (long)width * height;
        if (pixels > options.MaxBufferedPixels)
        {
            var kind = format switch
            {
                FileFormat.Jpeg => "A progressive JPEG image",
                FileFormat.Png => "An interlaced PNG image",
                FileFormat.Avif => "An AVIF image",
                _ => $"A {Name(format)} image",
            };
            throw TooLarge(
                Encoded,
                $"{kind} must have at most {Text(options.MaxBufferedPixels)} pixels; got {Text(pixels)} ({width} x {height}). "
                    + "Send it smaller, or as baseline JPEG.");
        }
    }

    /// <summary>An image that needs more memory than the server has for all images.</summary>
    public static Fault TooMuchMemory(long bytes, long limit, string field = Encoded) => TooLarge(
        field,
        $"Processing the image must need at most {Text(limit)} bytes of memory; it needs {Text(bytes)}. Send it smaller.");

    public static Fault UnknownFormat() => Fault.Invalid(
        Reasons.ImageFormatUnknown,
        Encoded,
        "The file must be JPEG, PNG, WebP, GIF, TIFF or AVIF; its first bytes are none of these.");

    /// <summary>
    /// A file that cannot be decoded. The messages of libvips are not passed on: they may be about another request's file.
    /// </summary>
    public static Fault Malformed(FileFormat format, Exception inner)
    {
        return Fault.Invalid(
            Reasons.ImageMalformed,
            Encoded,
            $"The {Name(format)} file is damaged, truncated or of a kind that cannot be decoded.",
            inner);
    }

    /// <summary>A JPEG file with less data than its header claims.</summary>
    public static Fault Incomplete(int width, int height) => Fault.Invalid(
        Reasons.ImageMalformed,
        Encoded,
        $"The JPEG file must contain the data of all its {width} x {height} pixels; a part is missing or damaged. "
            + "Get the file from its source again.");

    /// <summary>Throws a fault that names the limit if an AVIF file could not be opened because it exceeds one.</summary>
    public static void CheckAvif(AvifBoxes boxes, ImagingOptions options)
    {
        var width = (int)Math.Min(boxes.Width, int.MaxValue);
        var height = (int)Math.Min(boxes.Height, int.MaxValue);
        CheckSize(width, height, options, Encoded);
        CheckBuffered(FileFormat.Avif, width, height, options);
        if (boxes.Items > MaxAvifItems)
        {
            throw TooLarge(
                Encoded,
                $"An AVIF image must have at most {Text(MaxAvifItems)} items, which are its tiles and one for all; "
                    + $"got {Text(boxes.Items)}. Send it with larger tiles, or as baseline JPEG.");
        }
    }

    public static Fault BadLandmarks(string message) => Fault.Invalid(Reasons.LandmarksInvalid, LandmarksField, message);

    private static void CheckFile(ReadOnlyMemory<byte> data, ImagingOptions options)
    {
        CheckNotEmpty(data, Encoded);
        if (data.Length > options.MaxEncodedBytes)
        {
            throw TooLarge(Encoded, $"The file must have at most {Text(options.MaxEncodedBytes)} bytes; got {Text(data.Length)}.");
        }
        if (ImageSniffer.Sniff(data.Span) == FileFormat.Unknown)
        {
            throw UnknownFormat();
        }
    }

    private static void CheckPixels(in ImageInput image, InputSpec spec, ImagingOptions options)
    {
        if (image.Format is < PixelFormat.Rgb8 or > PixelFormat.I420)
        {
            throw Fault.Invalid(
                Reasons.PixelFormatInvalid,
                Format,
                "The pixel format must be RGB8, BGR8, GRAY8, RGB_F32, BGR_F32, RGBA8, BGRA8, NV12 or I420; "
                    + $"got {(int)image.Format}.");
        }
        if (image.Width <= 0 || image.Height <= 0)
        {
            var side = image.Width <= 0 ? Width : Height;
            throw Fault.Invalid(
                Reasons.PixelSizeMismatch, side, $"Width and height must be at least 1; got {image.Width} x {image.Height}.");
        }
        CheckColors(image);
        CheckSize(image.Width, image.Height, options, Data);
        CheckNotEmpty(image.Data, Data);
        CheckLength(image);
        if (image.Format is PixelFormat.RgbF32 or PixelFormat.BgrF32)
        {
            CheckFloats(image, spec);
        }
    }

    // Colors would be wrong by up to 50 levels if the server guessed.
    private static void CheckColors(in ImageInput image)
    {
        var isYuv = image.Format is PixelFormat.Nv12 or PixelFormat.I420;
        if (isYuv ? image.YuvMatrix is not (YuvMatrix.Bt601 or YuvMatrix.Bt709) : image.YuvMatrix != YuvMatrix.Unspecified)
        {
            throw Fault.Invalid(
                Reasons.PixelFormatInvalid,
                Matrix,
                isYuv
                    ? $"The matrix of {Name(image.Format)} pixels must be BT601 or BT709; got {(int)image.YuvMatrix}."
                    : $"The matrix must not be set for {Name(image.Format)} pixels: only NV12 and I420 have one.");
        }
        if (isYuv ? image.YuvRange is not (YuvRange.Limited or YuvRange.Full) : image.YuvRange != YuvRange.Unspecified)
        {
            throw Fault.Invalid(
                Reasons.PixelFormatInvalid,
                Range,
                isYuv
                    ? $"The range of {Name(image.Format)} pixels must be LIMITED or FULL; got {(int)image.YuvRange}."
                    : $"The range must not be set for {Name(image.Format)} pixels: only NV12 and I420 have one.");
        }
    }

    // The sides are within the limits.
    private static void CheckLength(in ImageInput image)
    {
        var planes = PixelPlanes.Of(image);
        var least = planes.SmallestStride;
        if (image.RowStride != 0 && (image.RowStride < least || image.RowStride > PixelPlanes.MaxStride))
        {
            throw Fault.Invalid(
                Reasons.PixelSizeMismatch,
                Stride,
                $"The row stride of {Name(image.Format)} pixels that are {image.Width} wide must be between {Text(least)} and "
                    + $"{Text(PixelPlanes.MaxStride)} bytes, or 0 for packed rows; got {Text(image.RowStride)}.");
        }
        var (shortest, longest) = (planes.ShortestLength, planes.Length);
        if (image.Data.Length < shortest || image.Data.Length > longest)
        {
            var rows = image.RowStride == 0 ? "" : $" with a row stride of {Text(image.RowStride)}";
            var bytes = shortest == longest ? $"{Text(longest)}" : $"from {Text(shortest)} to {Text(longest)}";
            throw Fault.Invalid(
                Reasons.PixelSizeMismatch,
                Data,
                $"{image.Width} x {image.Height} pixels of {Name(image.Format)}{rows} must have {bytes} bytes; "
                    + $"got {Text(image.Data.Length)}.");
        }
    }

    private static void CheckFloats(in ImageInput image, InputSpec spec)
    {
        if (spec.Channels == 1)
        {
            throw Fault.Invalid(
                Reasons.PixelFormatInvalid,
                Format,
                "Float pixels have three channels, but the model's input has one; send RGB8, BGR8, GRAY8 or an encoded file.");
        }
        if (image.Landmarks is not null)
        {
            throw BadLandmarks("Landmarks must not be set for float pixels: those are the model's input and are not aligned.");
        }
        if (image.Width != spec.Width || image.Height != spec.Height)
        {
            throw Fault.Invalid(
                Reasons.PixelSizeMismatch,
                image.Width != spec.Width ? Width : Height,
                $"Float pixels must have the size of the model's input, {spec.Width} x {spec.Height}; "
                    + $"got {image.Width} x {image.Height}.");
        }
    }

    private static void CheckNotEmpty(ReadOnlyMemory<byte> data, string field)
    {
        if (data.IsEmpty)
        {
            throw Fault.Invalid(Reasons.ImageEmpty, field, "The image must not be empty.");
        }
    }

    private static bool IsStretchSmall(int width, int height, int shapeWidth, int shapeHeight)
    {
        var stretch = (double)width * shapeHeight / ((double)height * shapeWidth);
        return stretch is <= MaxStretch and >= 1 / MaxStretch;
    }

    private static string Name(PixelFormat format) => format switch
    {
        PixelFormat.RgbF32 => "RGB_F32",
        PixelFormat.BgrF32 => "BGR_F32",
        _ => format.ToString().ToUpperInvariant(),
    };

    private static string Name(FileFormat format) =>
        format == FileFormat.WebP ? "WebP" : format.ToString().ToUpperInvariant();

    private static Fault TooLarge(string field, string message) => Fault.Invalid(Reasons.ImageTooLarge, field, message);

    private static string Text(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
