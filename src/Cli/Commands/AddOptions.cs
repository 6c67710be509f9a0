using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Tooling.Models.Adding;

namespace Embeddings.Cli.Commands;

/// <summary>What may be said of a model that is added; <c>add</c> and <c>pull</c> share it.</summary>
internal sealed class AddOptions
{
    /// <summary>Where models go that are given no folder, beside the working directory's other things.</summary>
    public const string DefaultDirectory = "models.d";

    private readonly Option<string?> _preset = new("--preset", "-p") { Description = "Family whose preprocessing it has; see 'models presets'." };
    private readonly Option<string?> _name = new("--name") { Description = "What requests call it by; the file's name where absent." };
    private readonly Option<ModelKind?> _kind = Named<ModelKind>("--kind", "What it embeds");
    private readonly Option<ColorOrder?> _colorOrder = Named<ColorOrder>("--color-order", "Order of its input channels");
    private readonly Option<IReadOnlyList<float>?> _mean = Channels("--mean", "Subtracted from each channel, on the scale 0 to 255, in the model's order.");
    private readonly Option<IReadOnlyList<float>?> _std = Channels("--std", "What each channel is divided by after that, on the scale 0 to 255.");
    private readonly Option<ResizeMode?> _resize = Named<ResizeMode>("--resize", "How pictures are brought to its size");
    private readonly Option<int?> _resizeTo = new("--resize-to") { Description = "With center_crop, what the shortest side becomes, pixels." };
    private readonly Option<Interpolation?> _interpolation = Named<Interpolation>("--interpolation", "Filter of the resizing");
    private readonly Option<(int, int)?> _size = new("--size")
    {
        Description = "Size of its input, for graphs that take any.",
        HelpName = "WIDTHxHEIGHT",
        CustomParser = result => result.Tokens[0].Value.Split('x') is [var width, var height]
            && int.TryParse(width, CultureInfo.InvariantCulture, out var w) && int.TryParse(height, CultureInfo.InvariantCulture, out var h)
            && w is > 0 and <= 4_096 && h is > 0 and <= 4_096 ? (w, h) : Wrong<(int, int)?>(result, "--size is WIDTHxHEIGHT, for example 224x224."),
    };

    private readonly Option<string?> _output = new("--output", "-o")
    {
        Description = "The output to take, or a tensor inside; a map is pooled over height and width.",
        HelpName = "NODE",
    };

    private readonly Option<int?> _maxBatch = new("--max-batch") { Description = "Largest batch it runs. [default: 32]" };
    private readonly Option<string?> _licence = new("--licence", "--license") { Description = "Licence of its weights, an SPDX identifier where there is one." };
    private readonly Option<string> _to = new("--to")
    {
        Description = "Folder to put it into. The variable EMBEDDINGS_Models__Directories__0, which names it to the server, is the default.",
        HelpName = "DIR",
        DefaultValueFactory = _ => Folder,
    };

    private readonly Option<bool> _replace = new("--replace") { Description = "Replace a model of that name." };

    /// <summary>The folder of models where none is given.</summary>
    public static string Folder => Environment.GetEnvironmentVariable("EMBEDDINGS_Models__Directories__0") is { Length: > 0 } folder ? folder : DefaultDirectory;

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_preset, _name, _kind, _colorOrder, _mean, _std, _resize, _resizeTo, _interpolation, _size, _output, _maxBatch,
            _licence, _to, _replace])
        {
            command.Add(option);
        }
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
        Size = parsed.GetValue(_size),
        Output = parsed.GetValue(_output),
        MaxBatch = parsed.GetValue(_maxBatch),
        Licence = parsed.GetValue(_licence),
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
                : Wrong<T?>(result, $"{name} is {string.Join(" or ", names.Keys)}, not '{result.Tokens[0].Value}'."),
        };
    }

    private static Option<IReadOnlyList<float>?> Channels(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "A,B,C",
        CustomParser = result =>
        {
            var parts = result.Tokens[0].Value.Split(',');
            var numbers = parts.Select(part => float.TryParse(part, CultureInfo.InvariantCulture, out var number) ? number : float.NaN).ToList();
            return numbers.Count == 3 && numbers.All(float.IsFinite) ? numbers : Wrong<IReadOnlyList<float>?>(result, $"{name} is three numbers: 0,0,0.");
        },
    };

    private static T Wrong<T>(ArgumentResult result, string message)
    {
        result.AddError(message);
        return default!;
    }
}
