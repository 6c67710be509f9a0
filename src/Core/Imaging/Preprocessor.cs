using System.Buffers;
using Embeddings.Core.Models;

namespace Embeddings.Core.Imaging;

/// <summary>
/// From a picture to pixels of the model's size:
/// <list type="number">
/// <item>check what the request says of it, and then what the file's header says (limits hold before anything is decoded);</item>
/// <item>decode, no larger than the resize can use; turn upright; lay over black;</item>
/// <item>align by the landmarks where there are any, else resize and crop as the model wants it.</item>
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

    /// <summary>The checks that need no decoding. Throws a fault; its field is relative to the item: <c>image.encoded</c>, <c>landmarks</c>.</summary>
    public void Validate(in ImageInput image, InputSpec spec) => ImageRules.Check(image, spec, _options);

    /// <summary>Whether <see cref="Prepare"/> costs next to nothing, so that it may run on the thread that reads the request.</summary>
    public bool IsImmediate(in ImageInput image, InputSpec spec) =>
        image.Format != PixelFormat.Encoded && image.Landmarks is null && image.Width == spec.Width && image.Height == spec.Height;

    /// <summary>Everything slow. Blocks for milliseconds; throws a fault. The picture's memory must not change until the result is disposed.</summary>
    public PreparedImage Prepare(in ImageInput image, InputSpec spec)
    {
        Validate(image, spec);
        if (IsImmediate(image, spec))
        {
            return new PreparedImage(image.Data, image.Format);
        }
        if (image.Format == PixelFormat.Encoded)
        {
            return PrepareFile(image, spec);
        }
        var channels = image.Format == PixelFormat.Gray8 ? 1 : 3;
        var view = new PixelView(image.Data.Span, image.Width, image.Height, channels);
        return Fit(view, SourceBox.Whole(image.Width, image.Height), Placement.Of(image.Width, image.Height, spec), image.Landmarks, image.Format, spec);
    }

    private PreparedImage PrepareFile(in ImageInput image, InputSpec spec)
    {
        using var file = EncodedImage.Open(image.Data, _options);
        if (image.Landmarks is { } landmarks)
        {
            LandmarkRules.CheckWithin(landmarks, file.Width, file.Height);
        }
        var placement = Placement.Of(file.Width, file.Height, spec);
        var shrink = image.Landmarks is null && file.CanShrink ? ShrinkOnLoad.Factor(file.Width, file.Height, placement) : 1;
        using var rows = file.Decode(shrink);
        var box = SourceBox.Of(rows, file.Width, file.Height, shrink, file.Orientation);
        var fitted = Fit(rows, box, placement, image.Landmarks, rows.Channels == 1 ? PixelFormat.Gray8 : PixelFormat.Rgb8, spec);
        try
        {
            rows.ReadToEnd();
            return fitted;
        }
        catch
        {
            fitted.Dispose();
            throw;
        }
    }

    private static PreparedImage Fit<TRows>(TRows source, SourceBox box, Placement placement, Landmarks? landmarks, PixelFormat format, InputSpec spec)
        where TRows : IPixelRows, allows ref struct
    {
        var length = spec.Width * spec.Height * source.Channels;
        var pooled = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            if (landmarks is not null)
            {
                FaceAligner.Align(source, landmarks, pooled.AsSpan(0, length), spec.Width, spec.Height);
            }
            else
            {
                Resampler.Draw(source, box, placement, spec.Interpolation, pooled.AsSpan(0, length), spec.Width, spec.Height);
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
