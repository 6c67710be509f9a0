using Embeddings.Tooling.Onnx;
using static Embeddings.Tooling.Onnx.Attributes;

namespace Embeddings.TestModels;

/// <summary>
/// A classical, untrained image model: [batch, 3, 224, 224], RGB 0 to 1, to [batch, 512]. Gradient orientations on
/// grids of
/// 6x6, 4x4 and 2x2 cells at three scales (8 directions each), and a histogram of 16 colors on 2x2 cells.
/// </summary>
public static class ImageDescriptor
{
    private const int Directions = 8;

    // Gradients below this (per pixel, on a scale of 0 to 1) are JPEG noise.
    private const float Noise = -0.0078125f;

    /// <summary>Creates the model.</summary>
    public static ModelProto Build()
    {
        var graph = new GraphBuilder("descriptor-image");
        var image = graph.Input("image", TensorProto.Types.DataType.Float, 0, 3, 224, 224);
        var half = graph.Average(image, 2, 2);
        var fine = graph.Gray(half);
        var middle = graph.Average(fine, 2, 2);
        var coarse = graph.Average(middle, 2, 2);

        string[] blocks =
        [
            graph.Block(graph.Cells(graph.Average(Edges(graph, fine), 6, 4), 6, 6, 4, 4), 288, 0.6, 1e-5f),
            graph.Block(graph.Cells(graph.Average(Edges(graph, middle), 4, 4), 4, 4, 3, 3), 128, 0.5, 1e-5f),
            graph.Block(graph.Cells(graph.Average(Edges(graph, coarse), 4, 4), 4, 4, 2, 2), 32, 0.3, 1e-5f),
            graph.Block(Colours(graph, half), 64, 0.55, 1e-5f),
        ];
        graph.Node("Concat", blocks, ["embedding"], Int("axis", 1));
        graph.Output("embedding", TensorProto.Types.DataType.Float, 0, 512);
        return graph.Build("Embeddings.TestModels");
    }

    // The Relu keeps the sign of an edge: bright above dark is a different direction than dark above bright.
    private static string Edges(GraphBuilder graph, string gray) =>
        graph.Node("Relu", [graph.Bank(gray, Filters.Gradients(5, 1, Directions), 5, Noise)]);

    // 16 colors: 4 grays by brightness, and 6 pale and 6 strong hues by chromaticity, which light does not change.
    // The softmax of -distance^2 distributes each pixel over the nearest colors, so that small changes stay small.
    private static string Colours(GraphBuilder graph, string half)
    {
        var rgb = graph.Average(half, 4, 4);
        var gray = graph.Gray(rgb);
        var light = graph.Node("Add", [gray, graph.Floats([Filters.Round(0.05)], 1, 1, 1, 1)]);
        // Two opponent colors, red-green and yellow-blue.
        var opponents = graph.Node("Conv", [rgb, graph.Floats([0.5f, -0.5f, 0, 0.25f, 0.25f, -0.5f], 2, 3, 1, 1)]);
        var chroma = graph.Node("Div", [opponents, light]);
        var features = graph.Node("Concat", [chroma, gray, graph.Node("Mul", [gray, gray])], Int("axis", 1));

        const double Sharp = 12;
        var weights = new List<double>();
        var biases = new List<double>();
        foreach (var grey in (double[])[0.1, 0.35, 0.65, 0.9])
        {
            // -S (l - g)^2 with the sum of squares written out.
            weights.AddRange([0, 0, 2 * Sharp * grey, -Sharp]);
            biases.Add(-Sharp * grey * grey);
        }
        foreach (var strength in (double[])[0.25, 0.6])
        {
            for (var hue = 0; hue < 6; hue++)
            {
                // |c|^2 is the same for every bin, so the softmax drops it.
                var (sin, cos) = Math.SinCos(Math.PI * hue / 3);
                weights.AddRange([4 * Sharp * strength * cos, 4 * Sharp * strength * sin, 0, 0]);
                biases.Add(-2 * Sharp * strength * strength);
            }
        }
        var logits = graph.Node(
            "Conv",
            [features, graph.Floats([.. weights.Select(Filters.Round)], 16, 4, 1, 1), graph.Floats([.. biases.Select(Filters.Round)], 16)]);
        return graph.Average(graph.Node("Softmax", [logits], Int("axis", 1)), 16, 12);
    }
}
