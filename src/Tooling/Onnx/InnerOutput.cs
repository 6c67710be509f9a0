namespace Embeddings.Tooling.Onnx;

/// <summary>Makes another model of which a tensor inside is the only output; what is no longer needed is left out.</summary>
public static class InnerOutput
{
    /// <summary>Name of the output of models made here, if the graph leaves it free.</summary>
    public const string Name = "embedding";

    /// <summary>The model with <paramref name="tensor"/> as its only output.</summary>
    /// <param name="model">Not changed.</param>
    /// <param name="tensor">Name of a tensor that some node makes. A quantized one is brought back to float32.</param>
    /// <param name="pool">Whether it is [batch, channels, height, width] and its mean over height and width is wanted: [batch, channels].</param>
    /// <exception cref="ArgumentException">There is no such tensor, or it does not depend on the graph's inputs.</exception>
    public static ModelProto Choose(ModelProto model, string tensor, bool pool)
    {
        ArgumentNullException.ThrowIfNull(model);
        var result = model.Clone();
        var graph = result.Graph;
        if (!graph.Node.Any(node => node.Output.Contains(tensor)))
        {
            throw new ArgumentException($"the graph has no tensor {tensor}", nameof(tensor));
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
        // Without a type: the runtime infers it, and a wrong one would be refused.
        graph.Output.Add(new ValueInfoProto { Name = output });
        Prune(graph, output);
        return graph.Input.Any(input => graph.Initializer.All(constant => constant.Name != input.Name))
            ? result
            : throw new ArgumentException($"tensor {tensor} does not depend on the picture", nameof(tensor));
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
        return taken.Contains(wanted) ? Enumerable.Range(2, int.MaxValue - 2).Select(i => $"{wanted}_{i}").First(name => !taken.Contains(name)) : wanted;
    }

    // Nodes stand in an order in which they can run, so that one pass from the end finds all that the output needs.
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

    // A graph within a node may read any tensor outside.
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
