using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Tooling.Onnx;

namespace Embeddings.Testing.Models;

/// <summary>An output of <see cref="FixedOutputs"/>.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Values">Its values for one item, row by row.</param>
/// <param name="Columns">Values in a row.</param>
/// <param name="Factor">Factor of the item's mean, which is added to each value. Default: 0.</param>
internal sealed record FixedOutput(string Name, float[] Values, int Columns, float Factor = 0);

/// <summary>Models that find in every image what a test wants, with the outputs of real detectors.</summary>
internal static class FixedOutputs
{
    /// <summary>A graph from [batch, channels, height, width] to outputs [batch, rows, columns].</summary>
    /// <param name="input">Size and channels of the input.</param>
    /// <param name="outputs">The outputs.</param>
    /// <param name="flat">
    /// True for outputs [rows, columns] and a batch fixed at 1, as some exporters of detectors write them.
    /// </param>
    /// <param name="type">Type of the outputs.</param>
    public static ModelProto Graph(
        InputSpec input,
        IReadOnlyList<FixedOutput> outputs,
        bool flat = false,
        TensorProto.Types.DataType type = TensorProto.Types.DataType.Float)
    {
        var batch = flat ? 1 : 0;
        var graph = new GraphBuilder("fixed");
        var image = graph.Input("input", TemporaryModels.Float, batch, input.Channels, input.Height, input.Width);
        var means = graph.Node("ReduceMean", [image], Attributes.Ints("axes", 1, 2, 3), Attributes.Int("keepdims", 0));
        var mean = graph.Node("Reshape", [means, graph.Longs([-1, 1, 1], 3)]);
        foreach (var output in outputs)
        {
            var rows = output.Values.Length / output.Columns;
            var added = graph.Node(
                "Add",
                [graph.Node("Mul", [mean, graph.Floats([output.Factor], 1)]), graph.Floats(output.Values, 1, rows, output.Columns)]);
            var shaped = flat ? graph.Node("Reshape", [added, graph.Longs([-1, output.Columns], 2)]) : added;
            graph.Node("Cast", [shaped], [output.Name], Attributes.Int("to", (long)type));
            long[] sizes = flat ? [rows, output.Columns] : [0, rows, output.Columns];
            graph.Output(output.Name, type, sizes);
        }
        return graph.Build();
    }

    /// <summary>A manifest without a section.</summary>
    public static ModelManifest Manifest(ModelKind kind, InputSpec input, string name = "test") => new()
    {
        Name = name,
        Kind = kind,
        Input = input,
        MaxBatch = 4,
        Sha256 = new string('0', 64),
    };

    /// <summary>Values of an output of which only some rows are set; the others are <paramref name="rest"/>.</summary>
    public static float[] Rows(int rows, int columns, float rest, params (int Row, float[] Values)[] set)
    {
        var values = new float[rows * columns];
        Array.Fill(values, rest);
        foreach (var (row, cells) in set)
        {
            cells.CopyTo(values, row * columns);
        }
        return values;
    }
}
