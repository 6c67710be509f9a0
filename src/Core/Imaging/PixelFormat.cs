namespace Embeddings.Core.Imaging;

/// <summary>How raw pixels lie; the numbers are the contract's.</summary>
internal enum PixelFormat
{
    /// <summary>Not pixels but an encoded file.</summary>
    Encoded = 0,
    Rgb8 = 1,
    Bgr8 = 2,
    Gray8 = 3,
    RgbF32 = 4,
    BgrF32 = 5,
}
