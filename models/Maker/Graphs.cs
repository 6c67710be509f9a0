using Embeddings.Core.Models;
using Embeddings.Tooling.Onnx;
using static Embeddings.Tooling.Onnx.TensorShapeProto.Types;

namespace Embeddings.Models.Maker;

/// <summary>Edits to the graphs of published models.</summary>
internal static class Graphs
{
    // IR version 8 was released with opset 17. From version 4, constants need not be listed as inputs.
    private const long IrVersion = 8;

    public const string Input = "input";
    public const string Output = "embedding";

    /// <summary>
    /// Creates a model with one input [batch, 3, size, size] and one output [batch, dimension]. Shapes of inner tensors
    /// are
    /// omitted, because the published ones fix the batch at 1.
    /// </summary>
    public static ModelProto Model(string name, string origin, GraphProto source, long opset, int size, int dimension)
    {
        var used = source.Node.SelectMany(node => node.Input).ToHashSet();
        var graph = new GraphProto { Name = name };
        graph.Node.Add(source.Node);
        graph.Initializer.Add(source.Initializer.Where(constant => used.Contains(constant.Name)).Select(Raw));
        graph.Input.Add(Value(Input, 3, size, size));
        graph.Output.Add(Value(Output, dimension));
        var model = new ModelProto { IrVersion = IrVersion, ProducerName = "Embeddings.Models.Maker", DocString = $"Made from {origin}", Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = opset });
        return model;
    }

    /// <summary>Renames a tensor in all nodes.</summary>
    public static void Rename(GraphProto graph, string tensor, string name)
    {
        foreach (var node in graph.Node)
        {
            Replace(node.Input, tensor, name);
            Replace(node.Output, tensor, name);
        }
    }

    /// <summary>Returns the only input that is not a constant.</summary>
    /// <exception cref="InvalidDataException">The graph does not have exactly one.</exception>
    public static string OnlyInput(GraphProto graph)
    {
        var constants = graph.Initializer.Select(constant => constant.Name).ToHashSet();
        return graph.Input.Where(input => !constants.Contains(input.Name)).ToList() is [var only]
            ? only.Name
            : throw new InvalidDataException($"{graph.Name}: must have one input; got {graph.Input.Count}.");
    }

    /// <summary>Returns the node that outputs a tensor.</summary>
    /// <exception cref="InvalidDataException">No node of this type outputs it.</exception>
    public static NodeProto Producer(GraphProto graph, string tensor, string type) =>
        graph.Node.FirstOrDefault(node => node.Output.Contains(tensor)) is { } node && node.OpType == type
            ? node
            : throw new InvalidDataException($"{graph.Name}: must have a {type} that outputs {tensor}.");

    // As little-endian bytes, which the runtime loads faster than a list.
    private static TensorProto Raw(TensorProto tensor) =>
        tensor is { DataType: (int)TensorProto.Types.DataType.Float, FloatData.Count: > 0 }
            ? Tensors.Floats(tensor.Name, tensor.FloatData.ToArray(), tensor.Dims.ToArray())
            : tensor;

    private static ValueInfoProto Value(string name, params ReadOnlySpan<long> sizes)
    {
        var shape = new TensorShapeProto();
        shape.Dim.Add(new Dimension { DimParam = "batch" });
        foreach (var size in sizes)
        {
            shape.Dim.Add(new Dimension { DimValue = size });
        }
        return new ValueInfoProto
        {
            Name = name,
            Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)TensorProto.Types.DataType.Float, Shape = shape } },
        };
    }

    private static void Replace(Google.Protobuf.Collections.RepeatedField<string> names, string from, string to)
    {
        for (var i = 0; i < names.Count; i++)
        {
            if (names[i] == from)
            {
                names[i] = to;
            }
        }
    }
}
