namespace Embeddings.Tooling.Onnx;

/// <summary>Where a quantized tensor's scale and zero point are to be found.</summary>
/// <param name="Scale">Name of the tensor that holds the scale.</param>
/// <param name="ZeroPoint">Name of the tensor that holds the zero point.</param>
public sealed record Quantization(string Scale, string ZeroPoint)
{
    /// <summary>What the operators that read the tensor say of it; null for one that is not quantized.</summary>
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
            // All of these take a tensor, its scale and its zero point, one after another.
            var takesTriplets = node.OpType is "DequantizeLinear" || node.OpType.StartsWith("QLinear", StringComparison.Ordinal);
            if (takesTriplets && at % 3 == 0 && at + 2 < node.Input.Count && node.Input[at + 2].Length > 0)
            {
                return new(node.Input[at + 1], node.Input[at + 2]);
            }
            // These give what they take.
            if (at == 0 && node.OpType is "Reshape" or "Flatten" or "Squeeze" or "Unsqueeze" or "Transpose" && Of(graph, node.Output[0]) is { } behind)
            {
                return behind;
            }
        }
        return null;
    }
}
