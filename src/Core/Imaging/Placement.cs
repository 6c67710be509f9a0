using Embeddings.Core.Models;

namespace Embeddings.Core.Imaging;

/// <summary>
/// Where a picture lands on the model's canvas: it is resized to <paramref name="Width"/> x <paramref name="Height"/> and its top left corner comes to
/// (<paramref name="Left"/>, <paramref name="Top"/>), which is negative where it is cropped and positive where it leaves a black border.
/// </summary>
internal readonly record struct Placement(int Width, int Height, int Left, int Top)
{
    /// <summary>The placement of a picture of this size; sides and offsets round as torchvision's Resize and CenterCrop do.</summary>
    public static Placement Of(int width, int height, InputSpec spec) => spec.Resize switch
    {
        ResizeMode.CenterCrop => Crop(width, height, spec),
        ResizeMode.Letterbox => Fit(width, height, spec),
        _ => new(spec.Width, spec.Height, 0, 0),
    };

    private static Placement Crop(int width, int height, InputSpec spec)
    {
        var shortest = spec.ResizeTo > 0 ? spec.ResizeTo : Math.Min(spec.Width, spec.Height);
        var w = width <= height ? shortest : Long(shortest, width, height);
        var h = width <= height ? Long(shortest, height, width) : shortest;
        return new(w, h, Offset(spec.Width, w), Offset(spec.Height, h));

        static int Long(int side, int longer, int shorter) => (int)Math.Min((double)side * longer / shorter, int.MaxValue);
    }

    // A crop starts at round((size - canvas) / 2), halves to even; a border that is missing goes to the left and the top rounded down.
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
