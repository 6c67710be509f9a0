namespace Embeddings.Core.Imaging;

/// <summary>How much of a file need not be decoded.</summary>
internal static class ShrinkOnLoad
{
    // With this much more than the resize needs, its own filter still decides what the result looks like.
    private const int Reserve = 2;

    /// <summary>1, 2, 4 or 8: the most of which <see cref="Reserve"/> times the placement's pixels remain on both sides.</summary>
    public static int Factor(int width, int height, Placement placement)
    {
        var factor = 1;
        while (factor < 8 && width / (factor * 2) >= (long)placement.Width * Reserve && height / (factor * 2) >= (long)placement.Height * Reserve)
        {
            factor *= 2;
        }
        return factor;
    }
}
