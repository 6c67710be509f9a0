namespace Embeddings.Core.Models;

/// <summary>What a model wants to see: everything between a picture and its input tensor (float32, NCHW, three channels).</summary>
internal sealed record InputSpec
{
    /// <summary>Width of the input, pixels, 1 to 4,096.</summary>
    public required int Width { get; init; }

    /// <summary>Height of the input, pixels, 1 to 4,096.</summary>
    public required int Height { get; init; }

    /// <summary>Order of the channels. Default: RGB.</summary>
    public ColorOrder ColorOrder { get; init; } = ColorOrder.Rgb;

    /// <summary>Subtracted from each channel, in the model's channel order, on the scale 0 to 255. Default: 0, 0, 0.</summary>
    public IReadOnlyList<float> Mean { get; init; } = [0, 0, 0];

    /// <summary>What each channel is divided by after that, on the scale 0 to 255; not zero. Default: 1, 1, 1.</summary>
    public IReadOnlyList<float> Std { get; init; } = [1, 1, 1];

    /// <summary>How a picture is brought to the input size. Default: stretch.</summary>
    public ResizeMode Resize { get; init; } = ResizeMode.Stretch;

    /// <summary>With <see cref="ResizeMode.CenterCrop"/>, what the shortest side becomes, pixels, at least the input's; 0 for the input's shortest. Default: 0.</summary>
    public int ResizeTo { get; init; }

    /// <summary>The resampling filter. Default: bilinear.</summary>
    public Interpolation Interpolation { get; init; } = Interpolation.Bilinear;

    /// <summary>Numbers in one item's tensor: 3 x height x width.</summary>
    public int TensorLength => 3 * Width * Height;
}
