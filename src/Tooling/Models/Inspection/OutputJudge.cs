using Embeddings.Core;
using Embeddings.Tooling.Onnx;

namespace Embeddings.Tooling.Models.Inspection;

/// <summary>Decides which output of a graph is an embedding, if any: a detector or a classifier runs as well as any other model, and gives nonsense.</summary>
internal static class OutputJudge
{
    // The last layer of a model trained on ImageNet (with and without a background class), ImageNet-21k or Places365 has as many outputs.
    private static readonly int[] ClassCounts = [1000, 1001, 21_841, 21_843, 365];

    private static readonly string[] Passing = ["Identity", "Cast", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Relu", "Clip",
        "GlobalAveragePool", "AveragePool", "ReduceMean", "DequantizeLinear", "QuantizeLinear", "QLinearAdd", "Add", "QLinearGlobalAveragePool"];

    private static readonly string[] Deciding = ["Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "QLinearSoftmax", "QLinearSigmoid"];

    private static readonly string[] Layers = ["Gemm", "MatMul", "Conv", "QLinearMatMul", "QLinearConv", "MatMulInteger", "ConvInteger", "QGemm"];

    /// <summary>Name of the output to take.</summary>
    /// <exception cref="ModelException">None can be taken; says why, and what inside the graph might be.</exception>
    public static string Choose(string file, GraphProto graph, IReadOnlyList<GraphTensor> outputs)
    {
        if (graph.Node.Any(node => node.OpType is "NonMaxSuppression") || outputs.FirstOrDefault(LooksLikeBoxes) is not null)
        {
            throw new ModelException(
                file, $"is a detector, not an embedding model: it gives {Names(outputs)}; boxes are no vector that pictures could be compared by");
        }
        var vectors = outputs.Where(output => output.IsFloat && Dimension(output) is not 1 && output.Shape.Count is 2 or 4).ToList();
        if (vectors.Count > 1)
        {
            // The rank-2 one among feature maps is what the others were made for.
            vectors = vectors.Where(output => output.Shape.Count == 2).ToList() is [var only] ? [only] : vectors;
        }
        if (vectors is not [var vector])
        {
            throw new ModelException(file, vectors.Count == 0
                ? $"gives no vector for a picture, but {Names(outputs)}; --output names a tensor inside that is one"
                : $"has {vectors.Count} outputs that may be the vector: {Names(vectors)}; --output names the one to take");
        }
        var (decides, layer) = Last(graph, vector.Name);
        var counts = ClassCounts.Contains(Dimension(vector) ?? 0) && layer is not null;
        if (decides is not null || counts)
        {
            var why = decides is not null ? $"its output {vector.Name} comes out of {decides}" : $"its output {vector.Name} has {Dimension(vector)} classes";
            var inner = layer is not null ? $"; --output {Feature(graph, layer)} takes the features before its last layer" : "; --output names a tensor inside to take";
            throw new ModelException(file, $"is a classifier, not an embedding model: {why}, which says what a picture shows and not what it looks like{inner}");
        }
        return vector.Name;
    }

    private static bool LooksLikeBoxes(GraphTensor output) =>
        output.Shape is [_, > 4 or <= 0, 4] or [_, > 1000, > 4 and < 256] or [_, > 4 and < 256, > 1000];

    private static int? Dimension(GraphTensor output) =>
        output.Shape.Skip(1).All(size => size > 0) ? output.Shape.Skip(1).Aggregate(1, (product, size) => product * size) : null;

    // What the output comes from: the operator that turns scores into a decision, and the layer that makes the scores.
    private static (string? Decides, NodeProto? Layer) Last(GraphProto graph, string tensor)
    {
        string? decides = null;
        for (var steps = 0; steps < 16; steps++)
        {
            var maker = graph.Node.FirstOrDefault(node => node.Output.Contains(tensor));
            if (maker is null || maker.Input.Count == 0)
            {
                return (decides, null);
            }
            if (Layers.Contains(maker.OpType))
            {
                return (decides, maker);
            }
            if (Deciding.Contains(maker.OpType))
            {
                decides ??= maker.OpType;
            }
            else if (!Passing.Contains(maker.OpType))
            {
                return (decides, null);
            }
            tensor = maker.Input[0];
        }
        return (decides, null);
    }

    private static string Feature(GraphProto graph, NodeProto layer)
    {
        var tensor = layer.Input[0];
        while (graph.Node.FirstOrDefault(node => node.Output.Contains(tensor)) is { OpType: "Dropout" or "Identity" or "Reshape" or "Flatten" } maker)
        {
            tensor = maker.Input[0];
        }
        return tensor;
    }

    private static string Names(IEnumerable<GraphTensor> outputs) => string.Join("; ", outputs.Take(12));
}
