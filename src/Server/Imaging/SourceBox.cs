namespace Embeddings.Server.Imaging;

/// <summary>The part of a decoded picture that is the picture, in its pixels: one shrunk while loading may end within its last pixel.</summary>
internal readonly record struct SourceBox(double Left, double Top, double Width, double Height)
{
    public static SourceBox Whole(in PixelView view) => new(0, 0, view.Width, view.Height);

    /// <summary>The box of an upright <paramref name="view"/> whose file holds <paramref name="width"/> x <paramref name="height"/> pixels.</summary>
    public static SourceBox Of(in PixelView view, int width, int height, int shrink, Orientation orientation)
    {
        var (w, h) = (Math.Min((double)width / shrink, view.Width), Math.Min((double)height / shrink, view.Height));
        return new(orientation.StartsRight ? view.Width - w : 0, orientation.StartsAtBottom ? view.Height - h : 0, w, h);
    }
}
