using Embeddings.Core;
using Embeddings.Tooling.Models.Presets;
using Embeddings.Tooling.Onnx;

namespace Embeddings.Tooling.Models.Inspection;

/// <summary>
/// Selects the output of a graph that is an embedding. Detectors and classifiers would run, but their outputs are not
/// embeddings.
/// </summary>
internal static class OutputSelector
{
    // Classes of ImageNet (with and without a background class), ImageNet-21k and Places365.
    private static readonly int[] ClassCounts = [1000, 1001, 21_841, 21_843, 365];

    private static readonly string[] Passing =
    [
        "Identity", "Cast", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Relu", "Clip", "GlobalAveragePool",
        "AveragePool", "ReduceMean", "DequantizeLinear", "QuantizeLinear", "QLinearAdd", "Add", "QLinearGlobalAveragePool",
    ];

    private static readonly string[] Deciding =
        ["Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "QLinearSoftmax", "QLinearSigmoid"];

    private static readonly string[] Layers =
        ["Gemm", "MatMul", "Conv", "QLinearMatMul", "QLinearConv", "MatMulInteger", "ConvInteger", "QGemm"];

    private static readonly string[] Reshaping = ["Dropout", "Identity", "Reshape", "Flatten"];

    /// <summary>Returns the name of the output.</summary>
    /// <exception cref="ModelException">
    /// No output is an embedding. The message names an inner tensor that might be.
    /// </exception>
    public static string Select(string file, GraphProto graph, IReadOnlyList<GraphTensor> outputs)
    {
        var presets = DetectorMatcher.Presets(outputs);
        if (presets.Count > 0 || graph.Node.Any(node => node.OpType is "NonMaxSuppression") || outputs.Any(LooksLikeBoxes))
        {
            var how = presets.Count > 0
                ? $"Add it as a detector with --preset {string.Join(" or ", presets)}."
                : $"Its outputs are those of none of the presets for detectors ({PresetCatalog.DetectorNames}).";
            throw new ModelException(
                file, $"The model is a detector, not an embedding model: its outputs are {Names(outputs)}. {how}");
        }
        var vectors = outputs
            .Where(output => output.IsFloat && Dimension(output) is not 1 && output.Shape.Count is 2 or 4)
            .ToList();
        if (vectors.Count > 1)
        {
            // Among feature maps, the output of rank 2 is the result.
            vectors = vectors.Where(output => output.Shape.Count == 2).ToList() is [var only] ? [only] : vectors;
        }
        if (vectors is not [var vector])
        {
            throw new ModelException(file, vectors.Count == 0
                ? $"No output is one vector per image: {Names(outputs)}. Choose an inner tensor with --output."
                : $"{vectors.Count} outputs can be the vector: {Names(vectors)}. Choose one with --output.");
        }
        var (decides, layer) = Last(graph, vector.Name);
        var counts = ClassCounts.Contains(Dimension(vector) ?? 0) && layer is not null;
        if (decides is not null || counts)
        {
            var why = decides is not null ? $"comes from {decides}" : $"has {Dimension(vector)} classes";
            var inner = layer is not null
                ? $"--output {Feature(graph, layer)} selects the features before its last layer."
                : "Choose an inner tensor with --output.";
            throw new ModelException(
                file, $"The model is a classifier, not an embedding model: output {vector.Name} {why}. {inner}");
        }
        return vector.Name;
    }

    private static bool LooksLikeBoxes(GraphTensor output) =>
        output.Shape is [_, > 4 or <= 0, 4] or [_, > 1000, > 4 and < 256] or [_, > 4 and < 256, > 1000];

    private static int? Dimension(GraphTensor output) =>
        output.Shape.Skip(1).All(size => size > 0)
            ? output.Shape.Skip(1).Aggregate(1, (product, size) => product * size)
            : null;

    // The operator that turns scores into a decision, and the layer that computes the scores.
    private static (string? Decides, NodeProto? Layer) Last(GraphProto graph, string tensor)
    {
        string? decides = null;
        for (var steps = 0; steps < 16; steps++)
        {
            var producer = graph.Node.FirstOrDefault(node => node.Output.Contains(tensor));
            if (producer is null || producer.Input.Count == 0)
            {
                return (decides, null);
            }
            if (Layers.Contains(producer.OpType))
            {
                return (decides, producer);
            }
            if (Deciding.Contains(producer.OpType))
            {
                decides ??= producer.OpType;
            }
            else if (!Passing.Contains(producer.OpType))
            {
                return (decides, null);
            }
            tensor = producer.Input[0];
        }
        return (decides, null);
    }

    private static string Feature(GraphProto graph, NodeProto layer)
    {
        var tensor = layer.Input[0];
        var reshapes = graph.Node.Where(node => Reshaping.Contains(node.OpType)).ToList();
        while (reshapes.FirstOrDefault(node => node.Output.Contains(tensor)) is { } producer)
        {
            tensor = producer.Input[0];
        }
        return tensor;
    }

    private static string Names(IEnumerable<GraphTensor> outputs) => string.Join("; ", outputs.Take(12));
}
