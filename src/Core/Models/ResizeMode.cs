namespace Embeddings.Core.Models;

/// <summary>How a picture is brought to the model's input size.</summary>
internal enum ResizeMode
{
    /// <summary>Both sides to the input size, whatever the aspect ratio.</summary>
    Stretch = 1,

    /// <summary>The shortest side to <see cref="InputSpec.ResizeTo"/>, then a crop of the input size from the centre.</summary>
    CenterCrop = 2,

    /// <summary>The longest side to the input size, black borders around.</summary>
    Letterbox = 3,
}
