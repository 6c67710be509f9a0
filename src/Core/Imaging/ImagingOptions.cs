using System.ComponentModel.DataAnnotations;

namespace Embeddings.Core.Imaging;

/// <summary>What a picture may be. Section <c>Imaging</c>.</summary>
internal sealed record ImagingOptions
{
    /// <summary>The largest encoded file, bytes.</summary>
    /// <value>Default: 16,777,216. From 1 to 1,073,741,824.</value>
    [Range(1, 1 << 30)]
    public int MaxEncodedBytes { get; init; } = 16 << 20;

    /// <summary>The longest side, pixels.</summary>
    /// <value>Default: 16,384. From 1 to 65,535.</value>
    [Range(1, 65_535)]
    public int MaxSide { get; init; } = 16_384;

    /// <summary>The most pixels, width times height.</summary>
    /// <value>Default: 100,000,000. From 1 to 1,000,000,000.</value>
    [Range(1, 1_000_000_000)]
    public long MaxPixels { get; init; } = 100_000_000;

    /// <summary>How many pictures are decoded at once.</summary>
    /// <value>Default: 0, as many as there are processors. From 0 to 1,024.</value>
    [Range(0, 1024)]
    public int MaxConcurrentDecodes { get; init; }
}
