using Embeddings.Tooling.Onnx;
using static Embeddings.Tooling.Onnx.Attributes;

namespace Embeddings.Benchmarks.Models;

/// <summary>A convolutional network layer by layer; keeps the current tensor, its channels and size, and counts multiplications.</summary>
/// <remarks>Batch normalization is folded into the convolution before it, as ONNX Runtime would do at load: each has a bias and no more.</remarks>
internal sealed class Network
{
    private readonly GraphBuilder _graph;
    private readonly RandomWeights _weights;

    public Network(string name, int size, int seed)
    {
        _graph = new GraphBuilder(name);
        _weights = new RandomWeights(seed);
        (Channels, Size) = (3, size);
        Current = _graph.Input("input", TensorProto.Types.DataType.Float, 0, 3, size, size);
    }

    /// <summary>The tensor so far.</summary>
    public string Current { get; private set; }

    public int Channels { get; private set; }

    /// <summary>Width and height.</summary>
    public int Size { get; private set; }

    public long Parameters => _weights.Parameters;

    /// <summary>Multiplications for one item.</summary>
    public long Multiplications { get; private set; }

    public Network Conv(int channels, int kernel, int stride, bool depthwise = false, int? padding = null)
    {
        var pad = padding ?? kernel / 2;
        var group = depthwise ? Channels : 1;
        var fanIn = Channels / group * kernel * kernel;
        Size = ((Size + (2 * pad) - kernel) / stride) + 1;
        Multiplications += (long)Size * Size * channels * fanIn;
        var weights = _weights.Draw(_graph, fanIn, channels, Channels / group, kernel, kernel);
        Current = _graph.Node(
            "Conv",
            [Current, weights, _weights.Constant(_graph, 0.01f, channels)],
            Ints("kernel_shape", kernel, kernel),
            Ints("strides", stride, stride),
            Ints("pads", pad, pad, pad, pad),
            Int("group", group));
        Channels = channels;
        return this;
    }

    public Network Relu()
    {
        Current = _graph.Node("Relu", [Current]);
        return this;
    }

    /// <summary>A ReLU with a learned slope below zero for each channel.</summary>
    public Network PRelu()
    {
        Current = _graph.Node("PRelu", [Current, _graph.Floats([.. Enumerable.Repeat(0.25f, Channels)], Channels, 1, 1)]);
        return this;
    }

    public Network MaxPool(int kernel, int stride)
    {
        var pad = kernel / 2;
        Size = ((Size + (2 * pad) - kernel) / stride) + 1;
        Current = _graph.Node(
            "MaxPool", [Current], Ints("kernel_shape", kernel, kernel), Ints("strides", stride, stride), Ints("pads", pad, pad, pad, pad));
        return this;
    }

    /// <summary>Adds what the block makes of the tensor to the tensor, or to what <paramref name="shortcut"/> makes of it.</summary>
    public Network Residual(Func<Network, Network> block, Func<Network, Network>? shortcut = null)
    {
        var (start, channels, size) = (Current, Channels, Size);
        var left = block(this).Current;
        var after = (Channels, Size);
        (Current, Channels, Size) = (start, channels, size);
        var right = shortcut is null ? Current : shortcut(this).Current;
        (Channels, Size) = after;
        Current = _graph.Node("Add", [left, right]);
        return this;
    }

    public Network GlobalAverage()
    {
        Current = _graph.Node("GlobalAveragePool", [Current]);
        Size = 1;
        return this;
    }

    /// <summary>One vector of all channels and places.</summary>
    public Network Flat()
    {
        Current = _graph.Node("Flatten", [Current], Int("axis", 1));
        (Channels, Size) = (Channels * Size * Size, 1);
        return this;
    }

    /// <summary>One vector of all channels and places, and from it another by a matrix.</summary>
    public Network Dense(int length)
    {
        var from = Flat().Channels;
        Multiplications += (long)from * length;
        Current = _graph.Node("Gemm", [Current, _weights.Draw(_graph, 2 * from, from, length), _weights.Constant(_graph, 0.01f, length)]);
        Channels = length;
        return this;
    }

    public ModelProto Build()
    {
        var output = "embedding";
        _graph.Node("Identity", [Current], [output]);
        _graph.Output(output, TensorProto.Types.DataType.Float, 0, Channels);
        return _graph.Build("embeddings-benchmarks");
    }
}
