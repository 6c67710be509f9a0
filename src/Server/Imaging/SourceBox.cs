namespace Embeddings.Server.Imaging;

/// <summary>What part of a decoded picture's pixels is the picture: one shrunk while loading may end within its last pixel, or a little after it.</summary>
internal readonly record struct SourceBox(double Left, double Top, double Width, double Height)
{
    public static SourceBox Whole(in PixelView view) => new(0, 0, view.Width, view.Height);

    /// <summary>The box of an upright <paramref name="view"/> whose file holds <paramref name="width"/> x <paramref name="height"/> pixels.</summary>
    public static SourceBox Of(in PixelView view, int width, int height, int shrink, Orientation orientation)
    {
        var (w, h) = ((double)width / shrink, (double)height / shrink);
        return new(orientation.StartsRight ? view.Width - w : 0, orientation.StartsAtBottom ? view.Height - h : 0, w, h);
    }
}
