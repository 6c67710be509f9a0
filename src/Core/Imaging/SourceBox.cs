namespace Embeddings.Core.Imaging;

/// <summary>What part of a decoded picture's pixels is the picture: one shrunk while loading may end within its last pixel, or a little after it.</summary>
internal readonly record struct SourceBox(double Left, double Top, double Width, double Height)
{
    public static SourceBox Whole(int width, int height) => new(0, 0, width, height);

    /// <summary>The box of upright <paramref name="rows"/> whose file holds <paramref name="width"/> x <paramref name="height"/> pixels.</summary>
    public static SourceBox Of(DecodedRows rows, int width, int height, int shrink, Orientation orientation)
    {
        var (w, h) = ((double)width / shrink, (double)height / shrink);
        return new(orientation.StartsRight ? rows.Width - w : 0, orientation.StartsAtBottom ? rows.Height - h : 0, w, h);
    }
}
