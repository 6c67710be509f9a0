namespace Embeddings.Core.Models;

/// <summary>The resampling filter, widened when shrinking (antialias) as Pillow does.</summary>
internal enum Interpolation
{
    /// <summary>Triangle filter, support 1.</summary>
    Bilinear = 1,

    /// <summary>Cubic convolution with a = -0.5, support 2.</summary>
    Bicubic = 2,
}
