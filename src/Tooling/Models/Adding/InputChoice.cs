using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Tooling.Models.Inspection;
using Embeddings.Tooling.Models.Presets;

namespace Embeddings.Tooling.Models.Adding;

/// <summary>Decides how pictures are to be prepared: sizes from the graph, the rest from flags and preset, nothing guessed.</summary>
internal static class InputChoice
{
    /// <exception cref="ModelException">The graph takes no pictures, something is missing, or what was said contradicts the graph.</exception>
    public static InputSpec Choose(AddRequest request, Preset? preset, GraphFacts facts, IReadOnlyList<GraphTensor> inputs)
    {
        ModelException Refuse(string why) => new(request.File, why);
        var input = inputs is [var only]
            ? only
            : throw Refuse($"has {inputs.Count} inputs ({string.Join("; ", inputs.Take(12))}); an embedding model of pictures has one");
        if (!input.IsFloat || input.Shape is not [_, 3 or <= 0, _, _])
        {
            var why = input.Shape is [_, _, _, 3] ? "its channels come last (NHWC), only NCHW is supported" : "only float32 or float16 [batch, 3, height, width] is supported";
            throw Refuse($"takes {input}: {why}");
        }
        var (width, height) = Size(request, preset, input) ?? throw Refuse($"takes pictures of any size ({input}): --size WIDTHxHEIGHT must say which it was trained on");

        var missing = preset is null
            ? new[] { ("--kind", request.Kind is null), ("--color-order", request.ColorOrder is null), ("--mean", request.Mean is null), ("--std", request.Std is null) }
                .Where(flag => flag.Item2).Select(flag => flag.Item1).ToList()
            : [];
        if (missing.Count > 0)
        {
            throw Refuse(
                $"does not tell how pictures are to be prepared: give --preset or {string.Join(", ", missing)}. The presets: {PresetCatalog.Names}");
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
        };
        Check(spec, preset, facts, Refuse);
        return spec;
    }

    private static (int Width, int Height)? Size(AddRequest request, Preset? preset, GraphTensor input)
    {
        var (height, width) = (input.Shape[2], input.Shape[3]);
        if (request.Size is { } asked)
        {
            return (height > 0 && height != asked.Height) || (width > 0 && width != asked.Width)
                ? throw new ModelException(request.File, $"takes {input}: --size {asked.Width}x{asked.Height} does not fit")
                : asked;
        }
        return height > 0 && width > 0 ? (width, height) : preset is { } known ? (known.Input.Width, known.Input.Height) : null;
    }

    // 256 for 224 is 292 for 256: the crop shows the same part of the picture.
    private static int Scaled(InputSpec? from, int width, int height) => from is null or { ResizeTo: 0 }
        ? 0
        : (int)Math.Round((double)from.ResizeTo * Math.Min(width, height) / Math.Min(from.Width, from.Height));

    private static void Check(InputSpec spec, Preset? preset, GraphFacts facts, Func<string, ModelException> refuse)
    {
        var plain = spec.Mean.All(value => value == 0) && spec.Std.All(value => value == 1);
        if (facts.Normalisation.Length > 0 && !plain && facts.Normalisation != "BatchNormalization")
        {
            throw refuse($"normalises its input itself ({facts.Normalisation}): mean and std would be applied twice; "
                + "--preset insightface-mxnet, or --mean 0,0,0 --std 1,1,1");
        }
        if (preset is { NormalisedInside: true } && facts.Normalisation.Length == 0)
        {
            throw refuse($"does not begin with its own normalisation, which the preset {preset.Name} is for");
        }
        if (spec.Std.All(value => value is > 0 and < 1) && spec.Mean.All(value => value is >= 0 and <= 1))
        {
            throw refuse("mean and std are on the scale 0 to 255 here, and these look as if they were on 0 to 1: multiply both by 255");
        }
    }
}
