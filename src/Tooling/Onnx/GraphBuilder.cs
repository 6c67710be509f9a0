namespace Embeddings.Tooling.Onnx;

/// <summary>
/// Builds a model in code. Tensors are identified by name: every method that creates a tensor returns its name for use
/// in later calls. Names are assigned in call order, so that the same calls produce the same bytes. Not thread-safe.
/// </summary>
/// <param name="name">Name of the graph.</param>
/// <param name="opset">Version of the ONNX operator set. Default: 17.</param>
public sealed class GraphBuilder(string name, long opset = 17)
{
    // IR version 8 was released with opset 17. Older runtimes would reject a newer version.
    private const long IrVersion = 8;

    private readonly GraphProto _graph = new() { Name = name };
    private int _tensors;

    /// <summary>
    /// Declares an input and returns its name. A size below 1 is a dynamic dimension; if it is the first dimension, it
    /// is named <c>batch</c>.
    /// </summary>
    public string Input(string tensor, TensorProto.Types.DataType type, params ReadOnlySpan<long> shape)
    {
        _graph.Input.Add(Value(tensor, type, shape));
        return tensor;
    }

    /// <summary>Declares a tensor as an output. A size below 1 is a dynamic dimension.</summary>
    public void Output(string tensor, TensorProto.Types.DataType type, params ReadOnlySpan<long> shape) =>
        _graph.Output.Add(Value(tensor, type, shape));

    /// <summary>Adds a float32 constant in row-major order. The number of values must match the shape.</summary>
    public string Floats(ReadOnlySpan<float> values, params ReadOnlySpan<long> shape) =>
        Initializer(Tensors.Floats(NextName(), values, shape));

    /// <summary>
    /// Adds an int64 constant in row-major order. The number of values must match the shape; an empty shape is a
    /// scalar.
    /// </summary>
    public string Longs(ReadOnlySpan<long> values, params ReadOnlySpan<long> shape) =>
        Initializer(Tensors.Longs(NextName(), values, shape));

    /// <summary>Adds an existing constant under its own name.</summary>
    public string Initializer(TensorProto tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        _graph.Initializer.Add(tensor);
        return tensor.Name;
    }

    /// <summary>Adds a node with one output and returns the name of the output.</summary>
    public string Node(string opType, IReadOnlyList<string> inputs, params ReadOnlySpan<AttributeProto> attributes)
    {
        var output = NextName();
        Node(opType, inputs, [output], attributes);
        return output;
    }

    /// <summary>Adds a node whose outputs have the given names.</summary>
    public void Node(
        string opType,
        IReadOnlyList<string> inputs,
        IReadOnlyList<string> outputs,
        params ReadOnlySpan<AttributeProto> attributes)
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

    /// <summary>Returns a model with everything added so far. Later calls do not change it.</summary>
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
