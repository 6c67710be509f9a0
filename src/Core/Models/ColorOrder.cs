namespace Embeddings.Core.Models;

/// <summary>The order of a model's input channels.</summary>
internal enum ColorOrder
{
    Rgb = 1,
    Bgr = 2,
}
