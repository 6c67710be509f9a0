namespace Embeddings.Core.Imaging;

/// <summary>The encoded files that are read.</summary>
internal enum FileFormat
{
    Unknown = 0,
    Jpeg,
    Png,
    WebP,
    Gif,
    Tiff,
    Avif,
}
