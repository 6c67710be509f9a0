using System.Globalization;
using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Tooling.Models.Inspection;
using Embeddings.Tooling.Models.Presets;

namespace Embeddings.Tooling.Models.Adding;

/// <summary>
/// Determines the preprocessing: sizes from the graph, the rest from a configuration file next to the model, options and
/// preset, which must not contradict each other. Nothing is guessed.
/// </summary>
internal static class InputChoice
{
    /// <exception cref="ModelException">
    /// The graph does not accept images, or a value is missing or contradicts the graph.
    /// </exception>
    public static InputSpec Choose(
        AddRequest request, Preset? preset, ModelConfig? config, GraphFacts facts, IReadOnlyList<GraphTensor> inputs)
    {
        ModelException Refuse(string why) => new(request.File, why);
        var input = inputs is [var only]
            ? only
            : throw Refuse($"The model must have one input; got {inputs.Count} ({string.Join("; ", inputs.Take(12))}).");
        var order = request.ColorOrder ?? preset?.Input.ColorOrder;
        var channels = order == ColorOrder.Gray ? 1 : 3;
        if (!input.IsFloat || input.Shape is not [_, var declared, _, _] || (declared > 0 && declared != channels))
        {
            var gray = input.Shape is [_, 1, _, _] ? " Set --color-order gray for a model of one channel." : "";
            throw Refuse($"The input must be float32 or float16 [batch, {channels}, height, width] (NCHW); got {input}.{gray}");
        }
        if (config is not null)
        {
            return Configured(request, preset, config, facts, input, Refuse);
        }
        var (width, height) = Size(request, preset, input) ?? throw Refuse($"The model accepts any image size "
            + $"({input}). Set the size it was trained on with --size WIDTHxHEIGHT.");

        (string Option, object? Value)[] required =
        [
            ("--kind", request.Kind),
            ("--color-order", request.ColorOrder),
            ("--mean", request.Mean),
            ("--std", request.Std),
        ];
        var missing = required.Where(option => option.Value is null).Select(option => option.Option).ToList();
        if (preset is null && missing.Count > 0)
        {
            throw Refuse(
                $"A model file does not contain its preprocessing, and there is no configuration file next to it: "
                    + $"set --preset or {string.Join(", ", missing)}. "
                    + $"Presets: {PresetCatalog.Names}.");
        }
        var from = preset?.Input;
        var resize = request.Resize ?? from?.Resize ?? ResizeMode.Stretch;
        var spec = new InputSpec
        {
            Width = width,
            Height = height,
            ColorOrder = request.ColorOrder ?? from!.ColorOrder,
            Mean = request.Mean ?? from!.Mean,
            Std = request.Std ?? from!.Std,
            Resize = resize,
            ResizeTo = resize == ResizeMode.CenterCrop ? request.ResizeTo ?? Scaled(from, width, height) : 0,
            Interpolation = request.Interpolation ?? from?.Interpolation ?? Interpolation.Bilinear,
            Decode = request.Decode,
        };
        spec = ManifestFile.OneSpelling(spec);
        Check(spec, preset, facts, Refuse);
        return spec;
    }

    // All values are those of the configuration file; whatever else states one must state the same.
    private static InputSpec Configured(
        AddRequest request, Preset? preset, ModelConfig config, GraphFacts facts, GraphTensor input, Func<string, ModelException> refuse)
    {
        void Same(string option, string? stated, string configured)
        {
            if (stated is not null && stated != configured)
            {
                throw refuse($"{option} is {stated}, but {config.File} states {configured}. Correct one of them, or set "
                    + "--ignore-config to ignore the file.");
            }
        }

        void SameChannels(string option, IReadOnlyList<float>? stated, IReadOnlyList<float> configured) =>
            Same(option, stated is null || ModelConfig.Same(stated, configured) ? null : ModelConfig.Words(stated), ModelConfig.Words(configured));

        SameChannels("--mean", request.Mean, config.Mean);
        SameChannels("--std", request.Std, config.Std);
        Same("--color-order", Word(request.ColorOrder), "rgb");
        Same("--resize", Word(request.Resize), ManifestFile.Word(config.Resize));
        Same("--resize-to", request.ResizeTo?.ToString(CultureInfo.InvariantCulture), config.ResizeTo.ToString(CultureInfo.InvariantCulture));
        Same("--interpolation", Word(request.Interpolation), ManifestFile.Word(config.Interpolation));
        if (preset is { Input: var known })
        {
            var name = $"preset '{preset.Name}': ";
            SameChannels(name + "mean", known.Mean, config.Mean);
            SameChannels(name + "std", known.Std, config.Std);
            Same(name + "color_order", ManifestFile.Word(known.ColorOrder), "rgb");
            Same(name + "resize", ManifestFile.Word(known.Resize), ManifestFile.Word(config.Resize));
            Same(name + "interpolation", ManifestFile.Word(known.Interpolation), ManifestFile.Word(config.Interpolation));
        }
        var size = config is { Width: { } width, Height: { } height } ? (width, height) : ((int Width, int Height)?)null;
        if (request.Size is { } asked && size is { } configured && asked != configured)
        {
            Same("--size", $"{asked.Width}x{asked.Height}", $"{configured.Width}x{configured.Height}");
        }
        var chosen = Size(request with { Size = request.Size ?? size }, preset, input, request.Size is null && size is not null ? config.File : "--size")
            ?? throw refuse($"The model accepts any image size ({input}), and {config.File} does not state it. Set the size it was "
                + "trained on with --size WIDTHxHEIGHT.");
        var spec = new InputSpec
        {
            Width = chosen.Width,
            Height = chosen.Height,
            ColorOrder = ColorOrder.Rgb,
            Mean = config.Mean,
            Std = config.Std,
            Resize = config.Resize,
            ResizeTo = config.ResizeTo,
            Interpolation = config.Interpolation,
            Decode = request.Decode,
        };
        Check(spec, preset, facts, refuse);
        return spec;
    }

    private static string? Word<T>(T? value)
        where T : struct, Enum => value is { } present ? ManifestFile.Word(present) : null;

    private static (int Width, int Height)? Size(
        AddRequest request, Preset? preset, GraphTensor input, string source = "--size")
    {
        var (height, width) = (input.Shape[2], input.Shape[3]);
        if (request.Size is { } asked)
        {
            return (height > 0 && height != asked.Height) || (width > 0 && width != asked.Width)
                ? throw new ModelException(request.File, $"{source} must match the input {input}; got "
                    + $"{asked.Width}x{asked.Height}.")
                : asked;
        }
        if (height > 0 && width > 0)
        {
            return (width, height);
        }
        return preset is null ? null : (preset.Input.Width, preset.Input.Height);
    }

    // 256 for 224 becomes 293 for 256, so that the crop covers the same part of the image.
    private static int Scaled(InputSpec? from, int width, int height) => from is null or { ResizeTo: 0 }
        ? 0
        : (int)Math.Round((double)from.ResizeTo * Math.Min(width, height) / Math.Min(from.Width, from.Height));

    private static void Check(InputSpec spec, Preset? preset, GraphFacts facts, Func<string, ModelException> refuse)
    {
        var plain = spec.Mean.All(value => value == 0) && spec.Std.All(value => value == 1);
        if (facts.Normalization.Length > 0 && !plain && facts.Normalization != "BatchNormalization")
        {
            throw refuse(
                $"The graph normalizes its input itself ({facts.Normalization}), so mean and std would be applied twice. "
                + "Use --preset insightface-mxnet, or --mean 0,0,0 --std 1,1,1.");
        }
        if (preset is { NormalisedInside: true } && facts.Normalization.Length == 0)
        {
            throw refuse($"The graph does not normalize its input, which preset '{preset.Name}' requires.");
        }
        if (spec.Std.All(value => value is > 0 and < 1) && spec.Mean.All(value => value is >= 0 and <= 1))
        {
            throw refuse(
                "mean and std must be on the scale 0 to 255; the values look like 0 to 1. Multiply both by 255.");
        }
    }
}
