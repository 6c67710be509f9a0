namespace Embeddings.Tooling.Onnx;

/// <summary>Quantization parameters of a tensor.</summary>
/// <param name="Scale">Name of the tensor that contains the scale.</param>
/// <param name="ZeroPoint">Name of the tensor that contains the zero point.</param>
public sealed record Quantization(string Scale, string ZeroPoint)
{
    /// <summary>
    /// Finds the parameters through the operators that read the tensor. Returns null if the tensor is not quantized.
    /// </summary>
    public static Quantization? Of(GraphProto graph, string tensor)
    {
        ArgumentNullException.ThrowIfNull(graph);
        foreach (var node in graph.Node)
        {
            var at = node.Input.IndexOf(tensor);
            if (at < 0)
            {
                continue;
            }
            // The inputs of these operators are groups of a tensor, its scale, and its zero point.
            var takesTriplets =
                node.OpType is "DequantizeLinear" || node.OpType.StartsWith("QLinear", StringComparison.Ordinal);
            if (takesTriplets && at % 3 == 0 && at + 2 < node.Input.Count && node.Input[at + 2].Length > 0)
            {
                return new(node.Input[at + 1], node.Input[at + 2]);
            }
            // These operators do not change the values, so the parameters of their output apply.
            var keepsValues = node.OpType is "Reshape" or "Flatten" or "Squeeze" or "Unsqueeze" or "Transpose";
            if (at == 0 && keepsValues && Of(graph, node.Output[0]) is { } behind)
            {
                return behind;
            }
        }
        return null;
    }
}
