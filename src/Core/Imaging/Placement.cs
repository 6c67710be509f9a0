using Embeddings.Core.Models;

namespace Embeddings.Core.Imaging;

/// <summary>
/// Position of an image on the model's canvas: it is resized to <paramref name="Width"/> x <paramref name="Height"/> and its
/// top left corner is at (<paramref name="Left"/>, <paramref name="Top"/>), negative if the image is cropped and positive if
/// it leaves a black border.
/// </summary>
internal readonly record struct Placement(int Width, int Height, int Left, int Top)
{
    // With this many times the pixels that the resize needs, its own filter still decides what the result looks like: on photos,
    // the mean difference from decoding at full size is 0.2 of a level, and 1.9 levels with as many pixels as the result has.
    private const int ShrinkReserve = 2;

    /// <summary>
    /// The placement of an image of this size; sides and offsets round as torchvision's Resize and CenterCrop do.
    /// </summary>
    public static Placement Of(int width, int height, InputSpec spec) => spec.Resize switch
    {
        ResizeMode.CenterCrop => Crop(width, height, spec),
        ResizeMode.Letterbox => Fit(width, height, spec),
        _ => new(spec.Width, spec.Height, 0, 0),
    };

    /// <summary>
    /// The factor by which an image of this size can be shrunk while it is decoded: 1, 2, 4 or 8, the largest that leaves
    /// twice the placement's pixels on both sides.
    /// </summary>
    public int ShrinkFactor(int width, int height)
    {
        var factor = 1;
        while (factor < 8
            && width / (factor * 2) >= (long)Width * ShrinkReserve
            && height / (factor * 2) >= (long)Height * ShrinkReserve)
        {
            factor *= 2;
        }
        return factor;
    }

    private static Placement Crop(int width, int height, InputSpec spec)
    {
        var shortest = spec.ResizeTo > 0 ? spec.ResizeTo : Math.Min(spec.Width, spec.Height);
        var w = width <= height ? shortest : Long(shortest, width, height);
        var h = width <= height ? Long(shortest, height, width) : shortest;
        return new(w, h, Offset(spec.Width, w), Offset(spec.Height, h));

        static int Long(int side, int longer, int shorter) => (int)Math.Min((double)side * longer / shorter, int.MaxValue);
    }

    // A crop starts at round((size - canvas) / 2), halves to even; a missing border goes to the left and the top, rounded
    // down.
    private static int Offset(int canvas, int size) =>
        size <= canvas ? (canvas - size) / 2 : -(int)Math.Round((size - canvas) / 2.0, MidpointRounding.ToEven);

    private static Placement Fit(int width, int height, InputSpec spec)
    {
        var scale = Math.Min((double)spec.Width / width, (double)spec.Height / height);
        var w = Math.Clamp((int)Math.Round(width * scale), 1, spec.Width);
        var h = Math.Clamp((int)Math.Round(height * scale), 1, spec.Height);
        return new(w, h, (spec.Width - w) / 2, (spec.Height - h) / 2);
    }
}

/// <summary>
/// The part of the decoded pixels that is the image: one shrunk while decoding may end within its last pixel, or a little
/// after it.
/// </summary>
internal readonly record struct SourceBox(double Left, double Top, double Width, double Height)
{
    public static SourceBox Whole(int width, int height) => new(0, 0, width, height);

    /// <summary>
    /// The box of upright <paramref name="rows"/> of a file with <paramref name="width"/> x <paramref name="height"/> pixels.
    /// </summary>
    public static SourceBox Of(DecodedRows rows, int width, int height, int shrink, Orientation orientation)
    {
        var w = (double)width / shrink;
        var h = (double)height / shrink;
        return new(orientation.StartsRight ? rows.Width - w : 0, orientation.StartsAtBottom ? rows.Height - h : 0, w, h);
    }
}
