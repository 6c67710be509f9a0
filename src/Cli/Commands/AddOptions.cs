using System.CommandLine;
using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Tooling.Models.Adding;

namespace Embeddings.Cli.Commands;

/// <summary>Options of <c>models add</c> and <c>models pull</c>.</summary>
internal sealed class AddOptions
{
    /// <summary>Default directory of added models.</summary>
    public const string DefaultDirectory = "models.d";

    private const int MaxSize = 4_096;

    private readonly Option<string?> _preset = CommonOptions.Text(
        "--preset", null, "Preset with the preprocessing of the model; see 'models presets'.", "-p");

    private readonly Option<string?> _name =
        CommonOptions.Text("--name", null, "Name in requests. [default: the name of the file]");

    private readonly Option<ModelKind?> _kind = Named<ModelKind>("--kind", "Kind of the model");
    private readonly Option<ColorOrder?> _colorOrder = Named<ColorOrder>("--color-order", "Order of the input channels");

    private readonly Option<IReadOnlyList<float>?> _mean = Channels(
        "--mean", "Value to subtract from each channel, on the scale 0 to 255, in the order of the model; one value for gray.");

    private readonly Option<IReadOnlyList<float>?> _std = Channels(
        "--std", "Value to divide each channel by afterwards, on the scale 0 to 255.");

    private readonly Option<ResizeMode?> _resize = Named<ResizeMode>("--resize", "How to resize images");

    private readonly Option<int?> _resizeTo = new("--resize-to")
    {
        Description = "With center_crop, the size of the shortest side, in pixels.",
    };

    private readonly Option<Interpolation?> _interpolation =
        Named<Interpolation>("--interpolation", "Interpolation of the resize");

    private readonly Option<DecodeMode?> _decode = Named<DecodeMode>("--decode", "Size at which JPEG files are decoded");

    private readonly Option<(int, int)?> _size = new("--size")
    {
        Description = "Input size, for graphs that accept any size.",
        HelpName = "WIDTHxHEIGHT",
        CustomParser = result => CommonOptions.Size(result.Tokens[0].Value, MaxSize)
            ?? CommonOptions.Error<(int, int)?>(result, $"--size must be WIDTHxHEIGHT, each 1 to {MaxSize}"),
    };

    private readonly Option<string?> _output = CommonOptions.Text(
        "--output",
        "NODE",
        "Name of the output or of an inner tensor. A feature map is averaged over height and width.",
        "-o");

    private readonly Option<int?> _maxBatch = new("--max-batch") { Description = "Largest batch. [default: 32]" };

    private readonly Option<string?> _licence = CommonOptions.Text(
        "--licence", null, "Licence of the weights, if possible an SPDX identifier.", "--license");

    private readonly Option<string> _to = new("--to")
    {
        Description = "Directory to add the model to. The default can be set with the environment variable "
            + "EMBEDDINGS_Models__Directories__0, which the server reads too.",
        HelpName = "DIR",
        DefaultValueFactory = _ => Folder,
    };

    private readonly Option<bool> _ignoreConfig = new("--ignore-config")
    {
        Description = "Ignore configuration files next to the model, such as preprocessor_config.json.",
    };

    private readonly Option<bool> _replace =
        new("--replace") { Description = "Replace an existing model of the same name." };

    /// <summary>Directory of models if none is given.</summary>
    public static string Folder => CommonOptions.FromEnvironment("EMBEDDINGS_Models__Directories__0", DefaultDirectory);

    /// <summary>Sizes of input and vectors, for people: <c>112x112 -> 512</c>, or <c>320x240</c> without vectors.</summary>
    public static string Sizes(ModelManifest manifest) =>
        $"{manifest.Input.Width}x{manifest.Input.Height}{(manifest.Embeds ? $" -> {manifest.Dimension}" : "")}";

    public void AddTo(Command command)
    {
        Option[] options =
        [
            _preset, _name, _kind, _colorOrder, _mean, _std, _resize, _resizeTo, _interpolation, _decode, _size, _output,
            _maxBatch, _licence, _to, _ignoreConfig, _replace,
        ];
        options.ToList().ForEach(command.Add);
    }

    public AddRequest Read(ParseResult parsed, string file) => new()
    {
        File = file,
        Directory = parsed.GetValue(_to)!,
        Preset = parsed.GetValue(_preset),
        Name = parsed.GetValue(_name),
        Kind = parsed.GetValue(_kind),
        ColorOrder = parsed.GetValue(_colorOrder),
        Mean = parsed.GetValue(_mean),
        Std = parsed.GetValue(_std),
        Resize = parsed.GetValue(_resize),
        ResizeTo = parsed.GetValue(_resizeTo),
        Interpolation = parsed.GetValue(_interpolation),
        Decode = parsed.GetValue(_decode),
        Size = parsed.GetValue(_size),
        Output = parsed.GetValue(_output),
        MaxBatch = parsed.GetValue(_maxBatch),
        Licence = parsed.GetValue(_licence),
        IgnoreConfig = parsed.GetValue(_ignoreConfig),
        Replace = parsed.GetValue(_replace),
    };

    private static Option<T?> Named<T>(string name, string description)
        where T : struct, Enum
    {
        var names = Enum.GetValues<T>().ToDictionary(value => ManifestFile.Word(value));
        return new(name)
        {
            Description = $"{description}: {string.Join(" or ", names.Keys)}.",
            HelpName = string.Join('|', names.Keys),
            CustomParser = result => names.TryGetValue(result.Tokens[0].Value, out var value)
                ? value
                : CommonOptions.Error<T?>(result, $"{name} must be {string.Join(" or ", names.Keys)}"),
        };
    }

    private static Option<IReadOnlyList<float>?> Channels(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "A,B,C",
        CustomParser = result => CommonOptions.Floats(result.Tokens[0].Value) is { Count: 1 or 3 } values
            ? values
            : CommonOptions.Error<IReadOnlyList<float>>(
                result, $"{name} must be three numbers separated by commas, or one for a gray input"),
    };
}
