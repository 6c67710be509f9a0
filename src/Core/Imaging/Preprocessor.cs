using System.Buffers;
using Embeddings.Core.Memory;
using Embeddings.Core.Models;

namespace Embeddings.Core.Imaging;

/// <summary>
/// Turns an image into pixels of the model's size:
/// <list type="number">
/// <item>check the request, and then the header of the file, against the limits before anything is decoded;</item>
/// <item>decode, no larger than the resize can use; convert to sRGB; flatten onto black; turn upright;</item>
/// <item>align by the landmarks if there are any, else resize and crop as the manifest says.</item>
/// </list>
/// Thread-safe.
/// </summary>
internal sealed class Preprocessor
{
    private readonly ImagingOptions _options;

    public Preprocessor(ImagingOptions options)
    {
        _options = options;
        Vips.EnsureStarted();
    }

    /// <summary>
    /// Checks that need no decoding. Throws a fault whose field is relative to the item: <c>image.encoded</c>, <c>landmarks</c>.
    /// </summary>
    public void Validate(in ImageInput image, InputSpec spec) => ImageRules.Check(image, spec, _options);

    /// <summary>
    /// True if <see cref="Prepare(in ImageInput, InputSpec)"/> costs next to nothing, so that the thread that reads the request may call it.
    /// </summary>
    public bool IsImmediate(in ImageInput image, InputSpec spec) =>
        image.Format != PixelFormat.Encoded
        && image.Landmarks is null
        && image.Width == spec.Width
        && image.Height == spec.Height;

    /// <summary>
    /// Decodes, aligns and resizes. Blocks for milliseconds; throws a fault. The image's memory must not change until the
    /// result is disposed.
    /// </summary>
    public PreparedImage Prepare(in ImageInput image, InputSpec spec)
    {
        Validate(image, spec);
        if (IsImmediate(image, spec))
        {
            return Whole(image);
        }
        if (image.Format == PixelFormat.Encoded)
        {
            using var file = EncodedImage.Open(image.Data, _options);
            return Prepare(file, image, spec, CancellationToken.None);
        }
        using var rows = RawRows.Of(image);
        var box = SourceBox.Whole(image.Width, image.Height);
        return Fit(rows, box, Placement.Of(image.Width, image.Height, spec), image.Landmarks, rows.Format, spec);
    }

    /// <summary>Reads the header of an encoded image, and checks it against the limits. Throws a fault.</summary>
    public EncodedImage Open(in ImageInput image, InputSpec spec)
    {
        Validate(image, spec);
        return EncodedImage.Open(image.Data, _options);
    }

    /// <summary>Memory and work of <see cref="Prepare(EncodedImage, in ImageInput, InputSpec, CancellationToken)"/>.</summary>
    public static Charge Cost(EncodedImage file, in ImageInput image, InputSpec spec, FairGate gate)
    {
        var placement = Placement.Of(file.Width, file.Height, spec);
        return DecodeCost.Of(file, Shrink(file, image, placement, spec), image.Landmarks is not null, spec, gate);
    }

    /// <summary>Decodes, aligns and resizes an image that has been opened. The cancellation ends it.</summary>
    public static PreparedImage Prepare(
        EncodedImage file, in ImageInput image, InputSpec spec, CancellationToken cancellationToken)
    {
        if (image.Landmarks is { } landmarks)
        {
            LandmarkRules.CheckWithin(landmarks, file.Width, file.Height);
        }
        var placement = Placement.Of(file.Width, file.Height, spec);
        var shrink = Shrink(file, image, placement, spec);
        using var rows = file.Decode(shrink, cancellationToken);
        var box = SourceBox.Of(rows, file.Width, file.Height, shrink, file.Orientation);
        var format = rows.Channels == 1 ? PixelFormat.Gray8 : PixelFormat.Rgb8;
        var fitted = Fit(rows, box, placement, image.Landmarks, format, spec);
        try
        {
            file.Complete(rows, cancellationToken);
            return fitted;
        }
        catch
        {
            fitted.Dispose();
            throw;
        }
    }

    // Pixels of the model's size: as they are, or converted as a whole.
    private static PreparedImage Whole(in ImageInput image)
    {
        var pixels = new RawPixels(image);
        if (pixels.IsPlain)
        {
            return new PreparedImage(image.Data, image.Format);
        }
        var length = image.Width * image.Height * pixels.PixelBytes;
        var pooled = ArrayPool<byte>.Shared.Rent(length);
        pixels.CopyTo(0, image.Height, pooled);
        return PreparedImage.Pooled(pooled, length, pixels.Format);
    }

    // The aligner samples single pixels, as those did who trained face models: of an image that was decoded at a half, it would
    // sample means instead, which differ by 1 to 5 levels on photos, even where three times the crop's pixels are left.
    private static int Shrink(EncodedImage file, in ImageInput image, Placement placement, InputSpec spec) =>
        image.Landmarks is null && file.CanShrink && spec.Decode != DecodeMode.Full
            ? placement.ShrinkFactor(file.Width, file.Height)
            : 1;

    private static PreparedImage Fit<TRows>(
        TRows source, SourceBox box, Placement placement, Landmarks? landmarks, PixelFormat format, InputSpec spec)
        where TRows : IPixelRows, allows ref struct
    {
        var length = spec.Width * spec.Height * source.Channels;
        var pooled = ArrayPool<byte>.Shared.Rent(length);
        var pixels = pooled.AsSpan(0, length);
        try
        {
            if (landmarks is not null)
            {
                FaceAligner.Align(source, landmarks, pixels, spec.Width, spec.Height);
            }
            else
            {
                Resampler.Draw(source, box, placement, spec.Interpolation, pixels, spec.Width, spec.Height);
            }
            return PreparedImage.Pooled(pooled, length, format);
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(pooled);
            throw;
        }
    }
}
