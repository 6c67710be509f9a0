using System.Text.Json.Serialization;

namespace Embeddings.Core.Models;

/// <summary>
/// How the outputs of a detector become candidates: boxes with a score and, if the model finds them, five points. A detector
/// decides for every anchor, the reference points of a grid over its input, or for every row of its outputs.
/// </summary>
internal sealed record DetectorSpec
{
    /// <summary>Coding of the boxes.</summary>
    [JsonConverter(typeof(WordConverter<BoxCoding>))]
    public required BoxCoding Boxes { get; init; }

    /// <summary>Coding of the scores. Default: probability.</summary>
    [JsonConverter(typeof(WordConverter<ScoreCoding>))]
    public ScoreCoding Scores { get; set; } = ScoreCoding.Probability;

    /// <summary>
    /// Pixels of the input between two cells of each grid, 1 to 256, in the order of the outputs; none if the boxes are
    /// corners. Default: none.
    /// </summary>
    [JsonConverter(typeof(LineConverter<int>))]
    public IReadOnlyList<int> Strides { get; set; } = [];

    /// <summary>Anchors in each cell of each grid, 1 to 16; empty for one. Default: empty.</summary>
    [JsonConverter(typeof(LineConverter<int>))]
    public IReadOnlyList<int> Anchors { get; set; } = [];

    /// <summary>
    /// Place of the anchors in their cell, from 0 (left or upper edge) to 1, in cells. Default: 0.
    /// </summary>
    public float AnchorOffset { get; set; }

    /// <summary>Names of the outputs by what they contain.</summary>
    public required DetectorOutputs Outputs { get; init; }

    /// <summary>
    /// Overlap (intersection over union) above which the weaker of two boxes is the same face, 0 to 1.
    /// </summary>
    public required float Nms { get; init; }

    /// <summary>Score from which a candidate is a face, 0 to 1, for requests that state none.</summary>
    public required float MinConfidence { get; init; }

    /// <summary>
    /// Score below which candidates are dropped unseen, 0.01 to <see cref="MinConfidence"/>. Requests can lower their own
    /// limit to it. Default: 0.3.
    /// </summary>
    public float MinScore { get; set; } = 0.3f;

    /// <summary>
    /// Shorter side of the smallest box that it finds reliably, pixels of the input, 1 to 4,096.
    /// </summary>
    public required int MinFace { get; init; }

    /// <summary>
    /// Shorter side of the largest box that it finds reliably, pixels of the input, <see cref="MinFace"/> to 4,096.
    /// </summary>
    public required int MaxFace { get; init; }

    /// <summary>Number of points of each candidate: 5, or 0 if it has no such output.</summary>
    [JsonIgnore]
    public int Keypoints => Outputs.Keypoints.Count > 0 ? 5 : 0;
}

/// <summary>Names of a detector's outputs, each list in the order of the strides.</summary>
internal sealed record DetectorOutputs
{
    /// <summary>One score per candidate, or two of which the second is that of a face.</summary>
    [JsonConverter(typeof(LineConverter<string>))]
    public required IReadOnlyList<string> Scores { get; init; }

    /// <summary>
    /// A second score per candidate, if there is one; the score is then the square root of the product. Default: none.
    /// </summary>
    [JsonConverter(typeof(LineConverter<string>))]
    public IReadOnlyList<string> Objectness { get; set; } = [];

    /// <summary>Four numbers per candidate, which may be followed by others.</summary>
    [JsonConverter(typeof(LineConverter<string>))]
    public required IReadOnlyList<string> Boxes { get; init; }

    /// <summary>
    /// Ten numbers per candidate, x and y of five points in strides from the anchor: left eye, right eye, nose, left and right
    /// corner of the mouth, as seen by the viewer. Default: none.
    /// </summary>
    [JsonConverter(typeof(LineConverter<string>))]
    public IReadOnlyList<string> Keypoints { get; set; } = [];

    [JsonIgnore]
    public IReadOnlyList<string> All => [.. Scores, .. Objectness, .. Boxes, .. Keypoints];
}

/// <summary>Codings of boxes: four numbers a, b, c, d for an anchor at (x, y) of a grid with stride s.</summary>
internal enum BoxCoding
{
    /// <summary>Left, upper, right and lower edge as shares of the input's width and height; without anchors.</summary>
    Corners = 1,

    /// <summary>Distances to the left, upper, right and lower edge in strides: x - a s, y - b s, x + c s, y + d s.</summary>
    Distances = 2,

    /// <summary>Center x + a s, y + b s; width e^c s and height e^d s.</summary>
    CenterLogSize = 3,

    /// <summary>Center x + a, y + b; width c and height d, all in pixels of the input.</summary>
    CenterSize = 4,
}

/// <summary>Codings of scores.</summary>
internal enum ScoreCoding
{
    /// <summary>From 0 to 1.</summary>
    Probability = 1,

    /// <summary>The inverse of the logistic function of the probability.</summary>
    Logit = 2,
}

/// <summary>The conversion of a landmark model's output to five points.</summary>
internal sealed record LandmarksSpec
{
    /// <summary>
    /// Name of the output, which holds x and y of each landmark in turn; empty for the graph's only one. Default: empty.
    /// </summary>
    public string Output { get; set; } = "";

    /// <summary>
    /// Value of the output at the right and the lower edge of the input: 1 if landmarks are shares of it, its size if they are
    /// pixels. Default: 1.
    /// </summary>
    public float Scale { get; set; } = 1;

    /// <summary>
    /// Five groups of landmarks, counted from 0, whose means are left eye, right eye, nose, left and right corner of the mouth
    /// as seen by the viewer.
    /// </summary>
    [JsonConverter(typeof(GroupsConverter))]
    public required IReadOnlyList<IReadOnlyList<int>> Points { get; init; }

    /// <summary>
    /// Sides of the crop that the model expects, as a multiple of the sides of the face's box, 0.5 to 8; it is stretched to the
    /// input. Default: 1.
    /// </summary>
    public float CropScale { get; set; } = 1;

    /// <summary>
    /// Factor of the crop's height besides that, 0.25 to 4: less than 1 for a model that expects wider boxes than those of
    /// detectors. Default: 1.
    /// </summary>
    public float CropHeight { get; set; } = 1;

    /// <summary>
    /// Distance of the crop's center below that of the box, as a share of the box's height, -0.5 to 0.5. Default: 0.
    /// </summary>
    public float CropDown { get; set; }
}

/// <summary>The conversion of a liveness model's output to a probability.</summary>
internal sealed record LivenessSpec
{
    /// <summary>
    /// Name of the output, one logit for each class; empty for the graph's only one. Default: empty.
    /// </summary>
    public string Output { get; set; } = "";

    /// <summary>Class of faces from life, counted from 0.</summary>
    public required int LiveClass { get; init; }

    /// <summary>
    /// Sides of the crop that the model expects, as a multiple of the sides of the face's box, 0.5 to 8. A crop that does not
    /// fit into the photo is made smaller and moved into it. Default: 1.
    /// </summary>
    public float CropScale { get; set; } = 1;
}

/// <summary>
/// How the outputs of a pose model become angles. Each output has a logit for each bin of angles; the angle is the mean of
/// the bins by their probability (Ruiz et al., 2018, "Fine-Grained Head Pose Estimation Without Keypoints").
/// </summary>
internal sealed record PoseSpec
{
    /// <summary>Name of the output with the yaw.</summary>
    public required string Yaw { get; init; }

    /// <summary>Name of the output with the pitch.</summary>
    public required string Pitch { get; init; }

    /// <summary>Name of the output with the roll.</summary>
    public required string Roll { get; init; }

    /// <summary>Angle of the first bin, degrees, -360 to 360.</summary>
    public required float FirstBin { get; init; }

    /// <summary>Degrees between two bins, more than 0 and at most 90.</summary>
    public required float BinSize { get; init; }

    /// <summary>
    /// Factors of yaw, pitch and roll, 1 or -1, that make them positive for a face that looks to the right side of the image,
    /// looks up, and is tilted clockwise. Default: 1, 1, 1.
    /// </summary>
    [JsonConverter(typeof(LineConverter<int>))]
    public IReadOnlyList<int> Signs { get; set; } = [1, 1, 1];

    /// <summary>
    /// Sides of the crop that the model expects, as a multiple of the sides of the face's box, 0.5 to 8. Default: 1.
    /// </summary>
    public float CropScale { get; set; } = 1;
}
