using NetVips;

namespace Embeddings.Core.Imaging;

/// <summary>How a picture is stored, by EXIF's tag 274.</summary>
/// <param name="Tag">1 to 8; 1 is upright.</param>
internal readonly record struct Orientation(int Tag)
{
    public bool IsUpright => Tag == 1;

    /// <summary>Whether rows become columns.</summary>
    public bool Transposes => Tag >= 5;

    /// <summary>Whether the stored picture's top left corner is on the right once it is upright.</summary>
    public bool StartsRight => Tag is 2 or 3 or 6 or 7;

    /// <summary>Whether the stored picture's top left corner is at the bottom once it is upright.</summary>
    public bool StartsAtBottom => Tag is 3 or 4 or 7 or 8;

    public static Orientation Of(Image image) =>
        image.Contains("orientation") && image.Get("orientation") is int tag and >= 1 and <= 8 ? new(tag) : new(1);
}
