namespace Embeddings.Tooling.Onnx;

/// <summary>
/// Creates models that output an inner tensor of another model. Parts of the graph that are no longer needed are
/// removed.
/// </summary>
public static class InnerOutput
{
    /// <summary>Name of the output, unless the graph already uses this name.</summary>
    public const string Name = "embedding";

    /// <summary>Returns a copy of the model with <paramref name="tensor"/> as its only output.</summary>
    /// <param name="model">Model to copy. Not modified.</param>
    /// <param name="tensor">Name of a tensor produced by a node. A quantized tensor is converted to float32.</param>
    /// <param name="pool">
    /// Whether to average a tensor of shape [batch, channels, height, width] over height and width, which gives [batch,
    /// channels].
    /// </param>
    /// <exception cref="ArgumentException">
    /// The tensor does not exist or does not depend on the inputs of the graph.
    /// </exception>
    public static ModelProto Choose(ModelProto model, string tensor, bool pool)
    {
        ArgumentNullException.ThrowIfNull(model);
        var result = model.Clone();
        var graph = result.Graph;
        if (!graph.Node.Any(node => node.Output.Contains(tensor)))
        {
            throw new ArgumentException($"The graph has no tensor '{tensor}' that is the output of a node.", nameof(tensor));
        }
        var output = Quantization.Of(graph, tensor) is { } scale
            ? Append(graph, "DequantizeLinear", [tensor, scale.Scale, scale.ZeroPoint])
            : tensor;
        if (pool)
        {
            output = Append(graph, "Flatten", [Append(graph, "GlobalAveragePool", [output])], Attributes.Int("axis", 1));
        }
        if (output == tensor)
        {
            output = Append(graph, "Identity", [output]);
        }
        graph.Output.Clear();
        // The type is omitted because the runtime infers it and would reject a wrong one.
        graph.Output.Add(new ValueInfoProto { Name = output });
        Prune(graph, output);
        return graph.Input.Any(input => graph.Initializer.All(constant => constant.Name != input.Name))
            ? result
            : throw new ArgumentException($"Tensor '{tensor}' does not depend on an input of the graph.", nameof(tensor));
    }

    private static string Append(GraphProto graph, string op, string[] inputs, params AttributeProto[] attributes)
    {
        var node = new NodeProto { OpType = op, Name = Free(graph, $"{Name}_{op}"), Domain = "" };
        node.Input.Add(inputs);
        var name = Free(graph, op is "Flatten" or "Identity" ? Name : $"{Name}_{op}");
        node.Output.Add(name);
        node.Attribute.Add(attributes);
        graph.Node.Add(node);
        return name;
    }

    private static string Free(GraphProto graph, string wanted)
    {
        var taken = graph.Node.SelectMany(node => node.Output.Append(node.Name))
            .Concat(graph.Input.Select(input => input.Name))
            .Concat(graph.Initializer.Select(constant => constant.Name))
            .ToHashSet();
        return taken.Contains(wanted)
            ? Enumerable.Range(2, int.MaxValue - 2).Select(i => $"{wanted}_{i}").First(name => !taken.Contains(name))
            : wanted;
    }

    // Nodes are in topological order, so one backward pass finds everything that the output depends on.
    private static void Prune(GraphProto graph, string output)
    {
        var needed = new HashSet<string> { output };
        var kept = new List<NodeProto>();
        foreach (var node in graph.Node.Reverse())
        {
            if (node.Output.Any(needed.Contains))
            {
                kept.Add(node);
                needed.UnionWith(Reads(node));
            }
        }
        kept.Reverse();
        graph.Node.Clear();
        graph.Node.Add(kept);
        Keep(graph.Initializer, constant => needed.Contains(constant.Name));
        Keep(graph.Input, input => needed.Contains(input.Name));
        Keep(graph.ValueInfo, value => needed.Contains(value.Name) && value.Name != output);
    }

    // A subgraph of a node can read any tensor of the outer graph.
    private static IEnumerable<string> Reads(NodeProto node) => node.Input.Concat(
        node.Attribute.SelectMany(attribute => attribute.Graphs.Concat(attribute.G is { } inner ? [inner] : []))
            .SelectMany(inner => inner.Node.SelectMany(Reads).Concat(inner.Output.Select(value => value.Name))));

    private static void Keep<T>(Google.Protobuf.Collections.RepeatedField<T> list, Func<T, bool> wanted)
    {
        var kept = list.Where(wanted).ToList();
        list.Clear();
        list.Add(kept);
    }
}
