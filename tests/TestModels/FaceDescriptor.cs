using Embeddings.Tooling.Onnx;
using static Embeddings.Tooling.Onnx.Attributes;

namespace Embeddings.TestModels;

/// <summary>
/// A classical, untrained face model: [batch, 3, 112, 112], RGB -1 to 1, to [batch, 512]. Brightness with its local mean and contrast taken out, then the
/// energy of Gabor filters of 8 orientations: fine ones on a grid of 8x6 cells, coarse ones on 4x4.
/// </summary>
public static class FaceDescriptor
{
    private const int Orientations = 8;

    /// <summary>Makes the model.</summary>
    public static ModelProto Build()
    {
        var graph = new GraphBuilder("descriptor-face");
        var face = graph.Input("face", TensorProto.Types.DataType.Float, 0, 3, 112, 112);
        var half = graph.Average(graph.Gray(face), 2, 2);
        var fine = Normalised(graph, half);
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

    // (pixel - local mean) / local deviation: what is left is shape, whatever the lamp. The small constant keeps noise in flat skin small.
    private static string Normalised(GraphBuilder graph, string gray)
    {
        var centred = graph.Node("Sub", [gray, Blur(graph, gray)]);
        var variance = Blur(graph, graph.Node("Mul", [centred, centred]));
        var deviation = graph.Node("Sqrt", [graph.Node("Add", [variance, graph.Floats([Filters.Round(0.0025)], 1, 1, 1, 1)])]);
        return graph.Node("Div", [centred, deviation]);
    }

    // The border is repeated outwards, since a border of zeros would draw a frame.
    private static string Blur(GraphBuilder graph, string gray)
    {
        const int Size = 11;
        var padded = graph.Node("Pad", [gray, graph.Longs([0, 0, Size / 2, Size / 2, 0, 0, Size / 2, Size / 2], 8)], Text("mode", "edge"));
        return graph.Bank(padded, Filters.Gaussian(Size, Size, 3, 3), Size);
    }

    // Bars and edges of one orientation together: the sum of squares does not care where in the wave a line lies.
    private static string Energy(GraphBuilder graph, string gray)
    {
        const int Size = 9;
        var even = graph.Bank(gray, Filters.Gabors(Size, 2.2, 6, Orientations, 0), Size);
        var odd = graph.Bank(gray, Filters.Gabors(Size, 2.2, 6, Orientations, Math.PI / 2), Size);
        return graph.Node("Sqrt", [graph.Node("Add", [graph.Node("Mul", [even, even]), graph.Node("Mul", [odd, odd])])]);
    }
}
