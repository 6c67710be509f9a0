using System.CommandLine;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary>Options that select the faces of a photo.</summary>
internal sealed class FaceFlags
{
    /// <summary>Default of <c>--max-faces</c>.</summary>
    public const int DefaultMaxFaces = 100;

    private readonly Option<int?> _maxFaces;
    private readonly Option<int> _minFaceSize = CommonOptions.Number(
        "--min-face-size",
        40,
        10,
        4_096,
        "Smallest face, 10 to 4,096: the shorter side of its box in pixels of the photo. Smaller faces take longer to find.");

    private readonly Option<float?> _minConfidence =
        CommonOptions.Fraction("--min-confidence", "Minimum confidence of the detector, 0 to 1. [default: the detector's own]");

    private readonly Option<float?> _minQuality =
        CommonOptions.Fraction("--min-quality", "Minimum quality of a face, 0 to 1. [default: faces of any quality]");

    private readonly Option<bool> _tryRotations = new("--try-rotations")
    {
        Description = "Also search the photo rotated by 90, 180, and 270 degrees, for photos that were turned without saying so. "
            + "Takes four times as long.",
    };

    private readonly Option<string> _detector = new("--detector")
    {
        Description = "Name of the detector. [default: the server's default detector]",
        DefaultValueFactory = _ => "",
    };

    /// <summary>Creates the options.</summary>
    /// <param name="maxFacesDefault">Default of <c>--max-faces</c>, for its description.</param>
    public FaceFlags(string maxFacesDefault = "100")
    {
        _maxFaces = new("--max-faces")
        {
            Description = $"Maximum number of faces of a photo, 1 to 1,000, the largest first. [default: {maxFacesDefault}]",
        };
        _maxFaces.Validators.Add(result => CommonOptions.CheckRange(result, "--max-faces", 1, 1_000));
    }

    private IEnumerable<Option> All => [_maxFaces, _minFaceSize, _minConfidence, _minQuality, _tryRotations, _detector];

    public void AddTo(Command command)
    {
        foreach (var option in All)
        {
            command.Add(option);
        }
    }

    /// <summary>True if one of the options is given.</summary>
    public bool IsGiven(ParseResult parsed) => All.Any(option => parsed.GetResult(option) is { Implicit: false });

    /// <summary>Returns the options as a message.</summary>
    /// <param name="parsed">Parsed arguments.</param>
    /// <param name="maxFaces">Maximum number of faces unless <c>--max-faces</c> is given.</param>
    public FaceOptions Read(ParseResult parsed, int maxFaces = DefaultMaxFaces)
    {
        var options = new FaceOptions
        {
            MaxFaces = parsed.GetValue(_maxFaces) ?? maxFaces,
            MinFaceSize = parsed.GetValue(_minFaceSize),
            TryRotations = parsed.GetValue(_tryRotations),
            Detector = parsed.GetValue(_detector),
        };
        if (parsed.GetValue(_minConfidence) is { } confidence)
        {
            options.MinConfidence = confidence;
        }
        if (parsed.GetValue(_minQuality) is { } quality)
        {
            options.MinQuality = quality;
        }
        return options;
    }
}
