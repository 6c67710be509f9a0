using System.Text.Json.Serialization;

namespace Embeddings.Core.Models;

/// <summary>
/// The content of a model's manifest, the <c>.json</c> file of the same name as its <c>.onnx</c> file
/// (docs/models.md).
/// </summary>
/// <remarks>
/// Optional properties have setters, not <c>init</c>: code that the JSON source generator writes would set the absent ones to
/// their type's default. The order of the properties is the order in the file.
/// </remarks>
internal sealed record ModelManifest
{
    private bool? _unitLength;

    /// <summary>Name that requests use: 1 to 64 of a-z, A-Z, 0-9, <c>_</c>, <c>-</c>, <c>.</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Purpose of the model.</summary>
    [JsonConverter(typeof(WordConverter<ModelKind>))]
    public required ModelKind Kind { get; init; }

    /// <summary>Preprocessing of its input.</summary>
    public required InputSpec Input { get; init; }

    /// <summary>
    /// Number of values in its vectors, 1 to 65,536. Required for models that embed; 0, and not in the file, for others.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Dimension { get; set; }

    /// <summary>
    /// True if its vectors are normalized to L2 norm 1. Always true for faces. Default: false for all others.
    /// </summary>
    public bool UnitLength
    {
        get => _unitLength ?? Kind == ModelKind.Face;
        set => _unitLength = value;
    }

    /// <summary>The largest batch it runs, 1 to 1,024; the queue finds the fastest size up to it. Default: 32.</summary>
    public int MaxBatch { get; set; } = 32;

    /// <summary>
    /// Name of the output tensor with the vectors; empty for the graph's only one. Models that do not embed name theirs in
    /// their section. Default: empty.
    /// </summary>
    public string Output { get; set; } = "";

    /// <summary>Licence of the weights, an SPDX identifier if there is one. Default: empty.</summary>
    public string Licence { get; set; } = "";

    /// <summary>Origin of the weights, for example package, version and file. Default: empty.</summary>
    public string Origin { get; set; } = "";

    /// <summary>SHA-256 of the model file, 64 hex digits; a file with different content is refused.</summary>
    public required string Sha256 { get; init; }

    /// <summary>
    /// SHA-256 of the external weight files, read one after another in ordinal order of their names, 64 hex digits; empty if
    /// all weights are in the model file. Default: empty.
    /// </summary>
    public string DataSha256 { get; set; } = "";

    /// <summary>Description for people, limits included. Default: empty.</summary>
    public string Description { get; set; } = "";

    /// <summary>Cosine from which two of its vectors are likely the same; null if not measured. Default: null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public float? SuggestedThreshold { get; set; }

    /// <summary>
    /// Share of pairs of different subjects, 0 to 1, whose cosine reached <see cref="SuggestedThreshold"/> when it was
    /// measured; null if not measured. Default: null.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public float? FalseMatchRate { get; set; }

    /// <summary>The conversion of a detector's outputs to boxes. Required for detectors, absent for others.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DetectorSpec? Detector { get; set; }

    /// <summary>The conversion of a landmark model's output to five points. Required for those, absent for others.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public LandmarksSpec? Landmarks { get; set; }

    /// <summary>
    /// The conversion of a liveness model's output to a probability. Required for those, absent for others.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public LivenessSpec? Liveness { get; set; }

    /// <summary>The conversion of a pose model's outputs to angles. Required for those, absent for others.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public PoseSpec? Pose { get; set; }

    /// <summary>True if the model produces vectors.</summary>
    [JsonIgnore]
    public bool Embeds => Kind is ModelKind.Image or ModelKind.Face;

    /// <summary>Names of the outputs that a run reads; an empty name means the graph's only output.</summary>
    [JsonIgnore]
    public IReadOnlyList<string> OutputNames => this switch
    {
        { Detector.Outputs: var outputs } => outputs.All,
        { Landmarks: { } landmarks } => [landmarks.Output],
        { Liveness: { } liveness } => [liveness.Output],
        { Pose: { } pose } => [pose.Yaw, pose.Pitch, pose.Roll],
        _ => [Output],
    };
}

/// <summary>Preprocessing parameters, from an image to the model's input tensor (float32, NCHW).</summary>
internal sealed record InputSpec
{
    /// <summary>Width of the input, pixels, 1 to 4,096.</summary>
    public required int Width { get; init; }

    /// <summary>Height of the input, pixels, 1 to 4,096.</summary>
    public required int Height { get; init; }

    /// <summary>Order of the channels; with gray there is only one. Default: RGB.</summary>
    [JsonConverter(typeof(WordConverter<ColorOrder>))]
    public ColorOrder ColorOrder { get; set; } = ColorOrder.Rgb;

    /// <summary>
    /// Subtracted from each channel, in the model's channel order, on the scale 0 to 255. With gray one number, or three
    /// equal ones, which are read as one. Default: 0 for each channel.
    /// </summary>
    [JsonConverter(typeof(ChannelsConverter))]
    public IReadOnlyList<float> Mean { get; set; } = [0, 0, 0];

    /// <summary>
    /// Divisor of each channel after that, on the scale 0 to 255; not zero. As many numbers as <see cref="Mean"/> has. Default:
    /// 1 for each channel.
    /// </summary>
    [JsonConverter(typeof(ChannelsConverter))]
    public IReadOnlyList<float> Std { get; set; } = [1, 1, 1];

    /// <summary>Way an image is brought to the input size. Default: stretch.</summary>
    [JsonConverter(typeof(WordConverter<ResizeMode>))]
    public ResizeMode Resize { get; set; } = ResizeMode.Stretch;

    /// <summary>
    /// With <see cref="ResizeMode.CenterCrop"/>, length of the shortest side before the crop, pixels, at least the input's
    /// shortest side; 0 for that side. Default: 0.
    /// </summary>
    public int ResizeTo { get; set; }

    /// <summary>The resampling filter. Default: bilinear.</summary>
    [JsonConverter(typeof(WordConverter<Interpolation>))]
    public Interpolation Interpolation { get; set; } = Interpolation.Bilinear;

    /// <summary>
    /// Size at which JPEG files are decoded; null, and not in the file, for models that do not embed: photos in which faces
    /// are looked for are decoded at full size. Default: scaled.
    /// </summary>
    [JsonConverter(typeof(WordConverter<DecodeMode>))]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DecodeMode? Decode { get; set; }

    /// <summary>Number of channels: 1 with gray, otherwise 3.</summary>
    [JsonIgnore]
    public int Channels => ColorOrder == ColorOrder.Gray ? 1 : 3;

    /// <summary>Number of values in one item's tensor: channels x height x width.</summary>
    [JsonIgnore]
    public int TensorLength => Channels * Width * Height;

    /// <summary>The input of a model that embeds: with the default of <see cref="Decode"/> if it is absent.</summary>
    public InputSpec WithDecode() => this with { Decode = Decode ?? DecodeMode.Scaled };
}

/// <summary>Order of a model's input channels; the values are those of the contract.</summary>
internal enum ColorOrder
{
    Rgb = 1,
    Bgr = 2,

    /// <summary>One channel of luminance: 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601), not rounded.</summary>
    Gray = 3,
}

/// <summary>Ways to bring an image to the model's input size.</summary>
internal enum ResizeMode
{
    /// <summary>Both sides to the input size, regardless of the aspect ratio.</summary>
    Stretch = 1,

    /// <summary>
    /// The shortest side to <see cref="InputSpec.ResizeTo"/>, then a crop of the input size from the center.
    /// </summary>
    CenterCrop = 2,

    /// <summary>The longest side to the input size, with black borders.</summary>
    Letterbox = 3,
}

/// <summary>Sizes at which JPEG files are decoded before they are resized.</summary>
internal enum DecodeMode
{
    /// <summary>
    /// A half, a fourth, or an eighth of the size, the smallest that leaves twice the pixels of the resized image on both
    /// sides. Images that are aligned by landmarks are decoded at full size.
    /// </summary>
    Scaled = 1,

    /// <summary>Full size.</summary>
    Full = 2,
}

/// <summary>Resampling filters, widened for shrinking (antialias) as Pillow does.</summary>
internal enum Interpolation
{
    /// <summary>Triangle filter, support 1.</summary>
    Bilinear = 1,

    /// <summary>Cubic convolution with a = -0.5, support 2.</summary>
    Bicubic = 2,
}
