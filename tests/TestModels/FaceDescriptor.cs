using Embeddings.Tooling.Onnx;
using static Embeddings.Tooling.Onnx.Attributes;

namespace Embeddings.TestModels;

/// <summary>
/// A classical, untrained face model: [batch, 3, 112, 112], RGB -1 to 1, to [batch, 512]. Brightness with normalized local
/// mean and contrast, then the energy of Gabor filters in 8 orientations: fine ones on 8x6 cells, coarse ones on 4x4.
/// </summary>
public static class FaceDescriptor
{
    private const int Orientations = 8;

    /// <summary>Creates the model.</summary>
    public static ModelProto Build()
    {
        var graph = new GraphBuilder("descriptor-face");
        var face = graph.Input("face", TensorProto.Types.DataType.Float, 0, 3, 112, 112);
        var half = graph.Average(graph.Gray(face), 2, 2);
        var fine = Normalized(graph, half);
        var coarse = graph.Average(fine, 2, 2);

        string[] blocks =
        [
            graph.Block(graph.Cells(graph.Average(Energy(graph, fine), 2, 2), 10, 9, 2, 3), 384, 0.8, 1e-4f),
            graph.Block(graph.Cells(graph.Average(Energy(graph, coarse), 2, 2), 4, 4, 2, 2), 128, 0.6, 1e-4f),
        ];
        graph.Node("Concat", blocks, ["embedding"], Int("axis", 1));
        graph.Output("embedding", TensorProto.Types.DataType.Float, 0, 512);
        return graph.Build("Embeddings.TestModels");
    }

    // (pixel - local mean) / local deviation removes lighting. The constant limits noise in flat areas.
    private static string Normalized(GraphBuilder graph, string gray)
    {
        var centered = graph.Node("Sub", [gray, Blur(graph, gray)]);
        var variance = Blur(graph, graph.Node("Mul", [centered, centered]));
        var deviation = graph.Node("Sqrt", [graph.Node("Add", [variance, graph.Floats([Filters.Round(0.0025)], 1, 1, 1, 1)])]);
        return graph.Node("Div", [centered, deviation]);
    }

    // The border is repeated, because zeros would create an edge.
    private static string Blur(GraphBuilder graph, string gray)
    {
        const int Size = 11;
        var padded = graph.Node("Pad", [gray, graph.Longs([0, 0, Size / 2, Size / 2, 0, 0, Size / 2, Size / 2], 8)], Text("mode", "edge"));
        return graph.Bank(padded, Filters.Gaussian(Size, Size, 3, 3), Size);
    }

    // Even and odd filters of one orientation: the sum of squares does not depend on the phase.
    private static string Energy(GraphBuilder graph, string gray)
    {
        const int Size = 9;
        var even = graph.Bank(gray, Filters.Gabors(Size, 2.2, 6, Orientations, 0), Size);
        var odd = graph.Bank(gray, Filters.Gabors(Size, 2.2, 6, Orientations, Math.PI / 2), Size);
        return graph.Node("Sqrt", [graph.Node("Add", [graph.Node("Mul", [even, even]), graph.Node("Mul", [odd, odd])])]);
    }
}
