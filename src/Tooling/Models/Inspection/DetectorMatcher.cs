using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Tooling.Models.Presets;

namespace Embeddings.Tooling.Models.Inspection;

/// <summary>
/// Finds the outputs of a detector by the names of its preset, or else by their last size: scores have one or two values per
/// candidate, boxes four, five points ten. Exporters number the outputs, so their names are of little use.
/// </summary>
internal static class DetectorMatcher
{
    private const int BoxValues = 4;
    private const int PointValues = 10;

    /// <summary>
    /// Names of the presets whose detectors have such outputs: those with the same names, or else those with the same sizes.
    /// </summary>
    public static IReadOnlyList<string> Presets(IReadOnlyList<GraphTensor> outputs)
    {
        var detectors = PresetCatalog.All.Where(preset => preset.Detector is not null).ToList();
        var named = detectors.Where(preset => HasNames(preset.Detector!, outputs)).ToList();
        var found = named.Count > 0 ? named : detectors.Where(preset => Match(preset.Detector!, outputs) is not null);
        return [.. found.Select(preset => preset.Name)];
    }

    /// <summary>Returns the outputs by what they contain.</summary>
    /// <exception cref="ModelException">The model does not have the outputs of the preset.</exception>
    public static DetectorOutputs Find(string file, Preset preset, IReadOnlyList<GraphTensor> outputs)
    {
        if (Match(preset.Detector!, outputs) is { } found)
        {
            return found;
        }
        var others = Presets(outputs);
        var hint = others.Count > 0 ? $" Use --preset {string.Join(" or ", others)}." : "";
        throw new ModelException(
            file, $"The outputs are not those of preset '{preset.Name}': {string.Join("; ", outputs.Take(16))}.{hint}");
    }

    private static DetectorOutputs? Match(DetectorSpec spec, IReadOnlyList<GraphTensor> outputs)
    {
        if (HasNames(spec, outputs))
        {
            return spec.Outputs;
        }
        var scores = Columns(outputs, columns => columns is 1 or 2);
        var boxes = Columns(outputs, columns => columns == BoxValues);
        var points = Columns(outputs, columns => columns == PointValues);
        if (boxes.Count == 0)
        {
            // Boxes with other values behind them.
            boxes = Columns(outputs, columns => columns is > BoxValues and <= 32 and not PointValues);
            points = [];
        }
        var objectness = new List<string>();
        if (spec.Outputs.Objectness.Count > 0)
        {
            // The order of the two does not matter: they are multiplied.
            var half = scores.Count / 2;
            (scores, objectness) = (scores[..half], scores[half..]);
        }
        var grids = Math.Max(1, spec.Strides.Count);
        var fits = Fits(scores, grids)
            && Fits(boxes, grids)
            && (points.Count == 0 || (Fits(points, grids) && spec.Boxes != BoxCoding.Corners))
            && (objectness.Count == 0) == (spec.Outputs.Objectness.Count == 0)
            && (objectness.Count == 0 || objectness.Count == scores.Count);
        return fits ? new() { Scores = scores, Objectness = objectness, Boxes = boxes, Keypoints = points } : null;
    }

    private static bool HasNames(DetectorSpec spec, IReadOnlyList<GraphTensor> outputs) =>
        spec.Outputs.All is { Count: > 0 } names && names.All(name => outputs.Any(output => output.Name == name));

    private static bool Fits(List<string> names, int grids) => names.Count == grids || names.Count == 1;

    // From the finest grid to the coarsest, if the graph says how many rows they have; else in its own order.
    private static List<string> Columns(IReadOnlyList<GraphTensor> outputs, Func<int, bool> wanted)
    {
        var found = outputs
            .Where(output => output.IsFloat && output.Shape.Count is 2 or 3 && wanted(output.Shape[^1]))
            .ToList();
        return [.. (found.All(output => Rows(output) > 0) ? found.OrderByDescending(Rows) : found.AsEnumerable())
            .Select(output => output.Name)];
    }

    private static int Rows(GraphTensor output) => output.Shape[^2];
}
