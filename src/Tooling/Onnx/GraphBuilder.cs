namespace Embeddings.Tooling.Onnx;

/// <summary>
/// Builds a model by code. Tensors are strings: every method that makes one returns its name, to be handed to the next. Names are given in the order
/// of the calls, so that the same calls make the same bytes. Not thread-safe.
/// </summary>
/// <param name="name">Name of the graph.</param>
/// <param name="opset">Version of ONNX's operators the nodes speak. Default 17.</param>
public sealed class GraphBuilder(string name, long opset = 17)
{
    // IR version 8 is the one opset 17 came with; older runtimes refuse newer ones without need.
    private const long IrVersion = 8;

    private readonly GraphProto _graph = new() { Name = name };
    private int _tensors;

    /// <summary>Declares an input. A size below 1 is one known only at run time; the first such is called <c>batch</c>.</summary>
    public string Input(string tensor, TensorProto.Types.DataType type, params ReadOnlySpan<long> shape)
    {
        _graph.Input.Add(Value(tensor, type, shape));
        return tensor;
    }

    /// <summary>Declares an output: a tensor some node makes. A size below 1 is one known only at run time.</summary>
    public void Output(string tensor, TensorProto.Types.DataType type, params ReadOnlySpan<long> shape) => _graph.Output.Add(Value(tensor, type, shape));

    /// <summary>Adds weights: float32, row-major, as many values as the shape has.</summary>
    public string Floats(ReadOnlySpan<float> values, params ReadOnlySpan<long> shape) => Initializer(Tensors.Floats(NextName(), values, shape));

    /// <summary>Adds integers: int64, row-major, as many values as the shape has; no shape for a scalar.</summary>
    public string Longs(ReadOnlySpan<long> values, params ReadOnlySpan<long> shape) => Initializer(Tensors.Longs(NextName(), values, shape));

    /// <summary>Adds a constant made elsewhere, under its own name.</summary>
    public string Initializer(TensorProto tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        _graph.Initializer.Add(tensor);
        return tensor.Name;
    }

    /// <summary>Adds a node with one output and returns that.</summary>
    public string Node(string opType, IReadOnlyList<string> inputs, params ReadOnlySpan<AttributeProto> attributes)
    {
        var output = NextName();
        Node(opType, inputs, [output], attributes);
        return output;
    }

    /// <summary>Adds a node with outputs of given names.</summary>
    public void Node(string opType, IReadOnlyList<string> inputs, IReadOnlyList<string> outputs, params ReadOnlySpan<AttributeProto> attributes)
    {
        var node = new NodeProto { OpType = opType, Name = $"{opType}_{_graph.Node.Count}" };
        node.Input.AddRange(inputs);
        node.Output.AddRange(outputs);
        foreach (var attribute in attributes)
        {
            node.Attribute.Add(attribute);
        }
        _graph.Node.Add(node);
    }

    /// <summary>The model so far. Later calls do not change it.</summary>
    public ModelProto Build(string producer = "embeddings")
    {
        var model = new ModelProto { IrVersion = IrVersion, ProducerName = producer, Graph = _graph.Clone() };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = opset });
        return model;
    }

    private static ValueInfoProto Value(string tensor, TensorProto.Types.DataType type, ReadOnlySpan<long> shape)
    {
        var dims = new TensorShapeProto();
        foreach (var size in shape)
        {
            dims.Dim.Add(size > 0
                ? new TensorShapeProto.Types.Dimension { DimValue = size }
                : new TensorShapeProto.Types.Dimension { DimParam = dims.Dim.Count == 0 ? "batch" : $"d{dims.Dim.Count}" });
        }
        return new ValueInfoProto
        {
            Name = tensor,
            Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)type, Shape = dims } },
        };
    }

    private string NextName() => $"t{_tensors++}";
}
