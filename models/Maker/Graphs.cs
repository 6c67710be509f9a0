using System.Runtime.InteropServices;
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
    /// Creates a model with one input [batch, 3, size, size] and one output [batch, dimension].
    /// </summary>
    public static ModelProto Model(string name, string origin, GraphProto source, long opset, int size, int dimension) =>
        Model(name, origin, source, opset, [3, size, size], (Output, [dimension]));

    /// <summary>
    /// Creates a model with one input and some outputs of any batch. Shapes of inner tensors are omitted, because the published
    /// ones fix the batch at 1.
    /// </summary>
    public static ModelProto Model(
        string name, string origin, GraphProto source, long opset, long[] input, params (string Name, long[] Sizes)[] outputs)
    {
        var used = source.Node.SelectMany(node => node.Input).ToHashSet();
        var graph = new GraphProto { Name = name };
        graph.Node.Add(source.Node);
        graph.Initializer.Add(source.Initializer.Where(constant => used.Contains(constant.Name)).Select(Raw));
        graph.Input.Add(Value(Input, input));
        graph.Output.Add(outputs.Select(output => Value(output.Name, output.Sizes)));
        var model = new ModelProto { IrVersion = IrVersion, ProducerName = "Embeddings.Models.Maker", DocString = $"Made from {origin}", Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = opset });
        return model;
    }

    /// <summary>
    /// Makes the reshapes to a batch of 1 keep the batch of their input: a 0 in the new shape means the old size.
    /// </summary>
    /// <exception cref="InvalidDataException">There are no such reshapes.</exception>
    public static void FreeReshapes(GraphProto graph)
    {
        var shapes = graph.Node.Where(node => node.OpType == "Reshape").Select(node => node.Input[1]).ToHashSet();
        var freed = 0;
        foreach (var constant in graph.Node.Where(node => node.OpType == "Constant" && shapes.Contains(node.Output[0])))
        {
            var value = constant.Attribute.Single(attribute => attribute.Name == "value");
            var sizes = MemoryMarshal.Cast<byte, long>(value.T.RawData.Span).ToArray();
            if (sizes is not [1, _, ..])
            {
                throw new InvalidDataException($"{graph.Name}: must reshape to a batch of 1; got [{string.Join(", ", sizes)}].");
            }
            sizes[0] = 0;
            value.T = Tensors.Longs(value.T.Name, sizes, sizes.Length);
            freed++;
        }
        if (freed != shapes.Count)
        {
            throw new InvalidDataException($"{graph.Name}: must have {shapes.Count} constant shapes; got {freed}.");
        }
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

    /// <summary>
    /// Folds each batch normalisation into the convolution before it: w' = w s / sqrt(v + e) and b' = (b - m) s / sqrt(v + e) + t, computed in double precision.
    /// The runtime would do the same with every load, in a second copy of the weights.
    /// </summary>
    public static void FoldBatchNormalization(GraphProto graph)
    {
        var readers = graph.Node.SelectMany(node => node.Input).GroupBy(name => name).ToDictionary(group => group.Key, group => group.Count());
        var constants = graph.Initializer.ToDictionary(constant => constant.Name);
        foreach (var norm in graph.Node.Where(node => node.OpType == "BatchNormalization").ToList())
        {
            var convolution = Producer(graph, norm.Input[0], "Conv");
            if (readers[norm.Input[0]] != 1)
            {
                throw new InvalidDataException($"{graph.Name}: must have one reader of {norm.Input[0]}; got {readers[norm.Input[0]]}.");
            }
            var parameters = norm.Input.Skip(1).Select(name => Floats(constants[name])).ToArray();
            float[] scale = parameters[0], offset = parameters[1], mean = parameters[2], variance = parameters[3];
            var bias = convolution.Input.Count > 2 ? Floats(constants[convolution.Input[2]]) : new float[scale.Length];
            var epsilon = norm.Attribute.Single(attribute => attribute.Name == "epsilon").F;

            var weights = Floats(constants[convolution.Input[1]]);
            var perChannel = weights.Length / scale.Length;
            for (var channel = 0; channel < scale.Length; channel++)
            {
                var factor = scale[channel] / Math.Sqrt((double)variance[channel] + epsilon);
                bias[channel] = (float)(((bias[channel] - (double)mean[channel]) * factor) + offset[channel]);
                foreach (ref var weight in weights.AsSpan(channel * perChannel, perChannel))
                {
                    weight = (float)(weight * factor);
                }
            }

            var (weightsName, biasName) = ($"{convolution.Input[1]}_folded", $"{convolution.Input[1]}_bias");
            graph.Initializer.Add(Tensors.Floats(weightsName, weights, constants[convolution.Input[1]].Dims.ToArray()));
            graph.Initializer.Add(Tensors.Floats(biasName, bias, bias.Length));
            string[] inputs = [convolution.Input[0], weightsName, biasName];
            convolution.Input.Clear();
            convolution.Input.Add(inputs);
            convolution.Output[0] = norm.Output[0];
            graph.Node.Remove(norm);
        }
    }

    /// <summary>
    /// Moves the large constants of a model to a file of their own, each at the start of a page, and returns the content of that file. The runtime maps it into
    /// memory; constants within the model are copied twice while the model is parsed, which takes most of the load time of a model of 64 MB.
    /// </summary>
    public static byte[] MoveOut(ModelProto model, string location)
    {
        const int Page = 4096;
        using var data = new MemoryStream();
        foreach (var constant in model.Graph.Initializer.Where(constant => constant.RawData.Length >= Page))
        {
            data.Position = (data.Position + Page - 1) / Page * Page;
            (string Key, string Value)[] entries =
                [("location", location), ("offset", $"{data.Position}"), ("length", $"{constant.RawData.Length}")];
            constant.RawData.WriteTo(data);
            constant.RawData = Google.Protobuf.ByteString.Empty;
            constant.DataLocation = TensorProto.Types.DataLocation.External;
            constant.ExternalData.Add(entries.Select(entry => new StringStringEntryProto { Key = entry.Key, Value = entry.Value }));
        }
        return data.ToArray();
    }

    private static float[] Floats(TensorProto tensor) => tensor.FloatData.Count > 0
        ? [.. tensor.FloatData]
        : MemoryMarshal.Cast<byte, float>(tensor.RawData.Span).ToArray();

    // As little-endian bytes, which the runtime loads faster than a list.
    private static TensorProto Raw(TensorProto tensor) =>
        tensor is { DataType: (int)TensorProto.Types.DataType.Float, FloatData.Count: > 0 }
            ? Tensors.Floats(tensor.Name, tensor.FloatData.ToArray(), tensor.Dims.ToArray())
            : tensor;

    private static ValueInfoProto Value(string name, ReadOnlySpan<long> sizes)
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
